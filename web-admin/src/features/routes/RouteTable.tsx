import { Link } from '@tanstack/react-router';
import { Grid, Table } from 'antd';
import type { ColumnsType } from 'antd/es/table';
import { useTranslation } from 'react-i18next';
import type { Problem, Route } from '../../api/types';
import { Derived } from '../../parts/Derived';
import { Badge } from '../../ui/Badge';
import { Said } from '../../ui/Said';
import { Nothing } from '../../ui/States';
import type { RouteRow } from './queries';
import { rowKey } from './queries';
import { conditionTexts, filterTexts, pathText } from './words';

/** One row per route. */
export function RouteTable({ rows }: { rows: RouteRow[] }) {
  const { t } = useTranslation();
  const wide = Grid.useBreakpoint().md ?? true;
  return (
    <div className="panel panel-flush">
      <Table<RouteRow>
        size="small"
        rowKey={rowKey}
        dataSource={rows}
        columns={useColumns(wide)}
        pagination={{ defaultPageSize: 50, hideOnSinglePage: true, showSizeChanger: false, size: 'small' }}
        locale={{ emptyText: <Nothing title={t('common.noMatch')} /> }}
        showSorterTooltip={false}
      />
    </div>
  );
}

function useColumns(wide: boolean): ColumnsType<RouteRow> {
  const { t } = useTranslation();
  const name = {
    title: t('routes.route'),
    key: 'name',
    sorter: (a: RouteRow, b: RouteRow) => (rowKey(a) < rowKey(b) ? -1 : 1),
    render: (_: unknown, { route }: RouteRow) => <Name route={route} />,
  };
  if (!wide) {
    const all = (_: unknown, { route, problems }: RouteRow) => (
      <span className="stack">
        <Name route={route} />
        <Lines items={route.spec.hosts ?? []} none={t('routes.everyHost')} />
        <Matches route={route} />
        <Targets route={route} />
        <Filters route={route} />
        <Origin route={route} />
        <Problems problems={problems} />
      </span>
    );
    return [{ ...name, render: all }];
  }
  return [
    name,
    { title: t('routes.hosts'), key: 'hosts', width: '14%', render: (_, r) => <Lines items={r.route.spec.hosts ?? []} none={t('routes.everyHost')} /> },
    { title: t('routes.paths'), key: 'paths', width: '15%', render: (_, r) => <Matches route={r.route} /> },
    { title: t('routes.to'), key: 'to', width: '14%', render: (_, r) => <Targets route={r.route} /> },
    { title: t('routes.filters'), key: 'filters', width: '18%', render: (_, r) => <Filters route={r.route} /> },
    { title: t('routes.from'), key: 'from', width: '12%', render: (_, r) => <Origin route={r.route} /> },
    { title: t('routes.problems'), key: 'problems', width: '15%', sorter: (a, b) => a.problems.length - b.problems.length, render: (_, r) => <Problems problems={r.problems} /> },
  ];
}

function Name({ route: r }: { route: Route }) {
  return (
    <span className="break">
      <span className="muted">{r.tenant}/</span>
      <strong>{r.name}</strong>
    </span>
  );
}

const firstShown = 4;
const linesShown = 12;

function Lines({ items, none }: { items: string[]; none?: string }) {
  const { t } = useTranslation();
  if (items.length === 0) return <span className="muted">{none ?? '-'}</span>;
  return (
    <span className="stack" title={items.join('\n')}>
      {items.slice(0, firstShown).map((text) => (
        <span key={text} className="mono break">
          {text}
        </span>
      ))}
      {items.length > firstShown && <span className="muted">{t('overview.more', { count: items.length - firstShown })}</span>}
    </span>
  );
}

/** Each alternative: its path, and what else a request needs. */
function Matches({ route: r }: { route: Route }) {
  const { t } = useTranslation();
  const all = (r.spec.match ?? [{}]).flatMap((m) => [{ text: pathText(m), path: true }, ...conditionTexts(m, t).map((text) => ({ text, path: false }))]);
  return (
    <span className="stack" title={all.map((l) => l.text).join('\n')}>
      {all.slice(0, linesShown).map((l, i) => (
        <span key={i} className={l.path ? 'mono break' : 'muted break'}>
          {l.text}
        </span>
      ))}
      {all.length > linesShown && <span className="muted">{t('overview.more', { count: all.length - linesShown })}</span>}
    </span>
  );
}

function Filters({ route: r }: { route: Route }) {
  const { t } = useTranslation();
  const lines = filterTexts(r, t);
  if (lines.length === 0) return <span className="faint">-</span>;
  return (
    <span className="stack">
      {lines.map((text) => (
        <span key={text} className="break">
          {text}
        </span>
      ))}
    </span>
  );
}

function Targets({ route: r }: { route: Route }) {
  const { t } = useTranslation();
  const respond = r.spec.filters?.find((f) => f.respond)?.respond;
  if (respond) return <Badge tone="off">{t('routes.responds', { status: respond.status })}</Badge>;
  const to = r.spec.to ?? [];
  if (to.length === 0) return <span className="muted">{t('routes.nowhere')}</span>;
  return (
    <span className="stack">
      {to.map((x) => (
        <span key={x.upstream} className="break">
          <Link to="/upstreams/$tenant/$name" params={{ tenant: r.tenant, name: x.upstream }}>
            {x.upstream}
          </Link>
          {to.length > 1 && <span className="num muted"> {x.weight ?? 1}</span>}
        </span>
      ))}
    </span>
  );
}

function Origin({ route: r }: { route: Route }) {
  const { t } = useTranslation();
  if (r.derivedFrom) return <Derived from={r.derivedFrom} />;
  return <span className="muted">{t('routes.written', { who: r.updatedBy ?? '-' })}</span>;
}

function Problems({ problems }: { problems: Problem[] }) {
  if (problems.length === 0) return <span className="faint">-</span>;
  return (
    <span className="stack">
      {problems.map((p) => (
        <span key={`${p.code} ${p.field ?? ''} ${p.message}`} className="break">
          <Badge tone="warn" plain>
            <code>{p.code}</code>
          </Badge>{' '}
          <Said of="problem" code={p.code} text={p.message} />
        </span>
      ))}
    </span>
  );
}
