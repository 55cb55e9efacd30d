import { Link, useNavigate } from '@tanstack/react-router';
import { Grid, Table } from 'antd';
import type { ColumnsType } from 'antd/es/table';
import { useTranslation } from 'react-i18next';
import { tally, upstreamTone } from '../../api/tally';
import { verdictTones } from '../../api/tones';
import type { EffectiveUpstream, HealthState, UpstreamView } from '../../api/types';
import { keyText } from '../../api/types';
import { Derived } from '../../parts/Derived';
import { Badge } from '../../ui/Badge';
import { Share } from '../../ui/Share';
import { Nothing } from '../../ui/States';

const count = (v: UpstreamView, s: HealthState) => tally(v.upstream.endpoints).states[s];
const rotation = (v: UpstreamView) => tally(v.upstream.endpoints).inRotation;

/** One row per upstream; a row leads to the upstream's page. */
export function UpstreamTable({ views }: { views: UpstreamView[] }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const wide = Grid.useBreakpoint().md ?? true;
  const open = (v: UpstreamView) => void navigate({ to: '/upstreams/$tenant/$name', params: v.upstream.key });
  return (
    <div className="panel panel-flush">
      <Table<UpstreamView>
        className="click-rows"
        size="small"
        rowKey={(v) => keyText(v.upstream.key)}
        dataSource={views}
        columns={useColumns(wide)}
        onRow={(v) => ({ onClick: () => open(v) })}
        pagination={{ defaultPageSize: 50, hideOnSinglePage: true, showSizeChanger: false, size: 'small' }}
        locale={{ emptyText: <Nothing title={t('common.noMatch')} /> }}
        showSorterTooltip={false}
      />
    </div>
  );
}

function useColumns(wide: boolean): ColumnsType<UpstreamView> {
  const { t } = useTranslation();
  const name = {
    title: t('upstreams.upstream'),
    key: 'name',
    sorter: (a: UpstreamView, b: UpstreamView) => (keyText(a.upstream.key) < keyText(b.upstream.key) ? -1 : 1),
    render: (_: unknown, v: UpstreamView) => <Name view={v} />,
  };
  const inRotation = {
    title: t('upstreams.inRotation'),
    key: 'rotation',
    sorter: (a: UpstreamView, b: UpstreamView) => rotation(a) - rotation(b),
    render: (_: unknown, v: UpstreamView) => <Rotation upstream={v.upstream} />,
  };
  if (!wide) {
    const both = (_: unknown, v: UpstreamView) => (
      <span className="stack">
        <Name view={v} />
        <Trouble view={v} />
      </span>
    );
    return [{ ...name, render: both }, { ...inRotation, align: 'right', render: (_, v) => <Rotation upstream={v.upstream} /> }];
  }
  const states = ['ejected', 'down', 'probation'] as const;
  return [
    name,
    inRotation,
    ...states.map((s) => ({
      title: t(`upstreams.${s}`),
      key: s,
      align: 'right' as const,
      sorter: (a: UpstreamView, b: UpstreamView) => count(a, s) - count(b, s),
      render: (_: unknown, v: UpstreamView) => <Count n={count(v, s)} state={s} />,
    })),
    {
      title: t('upstreams.problems'),
      key: 'problems',
      align: 'right',
      sorter: (a, b) => a.problems.length - b.problems.length,
      render: (_, v) => (v.problems.length > 0 ? <Badge tone="warn" plain>{v.problems.length}</Badge> : <span className="faint">0</span>),
    },
    { title: t('upstreams.sources'), key: 'sources', render: (_, v) => <Sources upstream={v.upstream} /> },
    { title: t('upstreams.routes'), key: 'routes', width: '22%', render: (_, v) => <Routes names={v.routes} /> },
  ];
}

function Name({ view: v }: { view: UpstreamView }) {
  const { key } = v.upstream;
  return (
    <span className="row">
      <Link to="/upstreams/$tenant/$name" params={key} className="break" onClick={(e) => e.stopPropagation()}>
        <span className="muted">{key.tenant}/</span>
        <strong>{key.name}</strong>
      </Link>
      <Derived from={v.derivedFrom} />
    </span>
  );
}

export function Rotation({ upstream: u }: { upstream: EffectiveUpstream }) {
  const { t } = useTranslation();
  const { inRotation, total } = tally(u.endpoints);
  return (
    <span className="row">
      <Share part={inRotation} whole={total} tone={upstreamTone(u)} />
      {inRotation === 0 && <Badge tone="bad">{t(total === 0 ? 'upstreams.noEndpoints' : 'upstreams.noneInRotation')}</Badge>}
      {u.panic && (
        <Badge tone="warn" title={t('upstreams.panicHint')}>
          {t('upstreams.panic')}
        </Badge>
      )}
    </span>
  );
}

function Count({ n, state }: { n: number; state: HealthState }) {
  if (n === 0) return <span className="num faint">0</span>;
  return (
    <Badge tone={verdictTones[state]} plain>
      <strong className="num">{n}</strong>
    </Badge>
  );
}

/** On a narrow screen: only what is wrong. */
function Trouble({ view: v }: { view: UpstreamView }) {
  const { t } = useTranslation();
  const { states } = tally(v.upstream.endpoints);
  const shown: HealthState[] = ['ejected', 'down', 'probation'];
  return (
    <span className="row">
      {shown
        .filter((s) => states[s] > 0)
        .map((s) => (
          <Badge key={s} tone={verdictTones[s]}>
            {states[s]} {t(`verdict.${s}`)}
          </Badge>
        ))}
      {v.problems.length > 0 && (
        <Badge tone="warn">
          {v.problems.length} {t('upstreams.problems')}
        </Badge>
      )}
    </span>
  );
}

function Routes({ names }: { names: string[] }) {
  if (names.length === 0) return <span className="faint">-</span>;
  const text = names.join(', ');
  return (
    <span className="one-line" title={text}>
      {text}
    </span>
  );
}

function Sources({ upstream: u }: { upstream: EffectiveUpstream }) {
  const { t } = useTranslation();
  const kinds = [...new Set(u.endpoints.flatMap((e) => e.sources))];
  if (kinds.length === 0) return <span className="faint">-</span>;
  return <span className="nowrap">{kinds.map((k) => t(`source.${k}`)).join(', ')}</span>;
}
