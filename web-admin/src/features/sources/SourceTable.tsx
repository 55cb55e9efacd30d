import { Grid, Table } from 'antd';
import type { ColumnsType } from 'antd/es/table';
import { useTranslation } from 'react-i18next';
import type { SourceStatus } from '../../api/types';
import { Badge } from '../../ui/Badge';
import { Nothing } from '../../ui/States';
import { Since } from '../../ui/Time';

// Those that are down first: they are why people come here.
const downFirst = (a: SourceStatus, b: SourceStatus) => Number(a.up) - Number(b.up) || (a.name < b.name ? -1 : 1);

/** One row per source: whether it answers, what it last said, and how old that may be. */
export function SourceTable({ sources }: { sources: SourceStatus[] }) {
  const { t } = useTranslation();
  const wide = Grid.useBreakpoint().md ?? true;
  return (
    <Table<SourceStatus>
      size="small"
      rowKey="name"
      dataSource={[...sources].sort(downFirst)}
      columns={useColumns(wide)}
      pagination={false}
      locale={{ emptyText: <Nothing title={t('overview.noSources')} /> }}
      showSorterTooltip={false}
    />
  );
}

function useColumns(wide: boolean): ColumnsType<SourceStatus> {
  const { t } = useTranslation();
  const source = { title: t('sources.source'), key: 'name', render: (_: unknown, s: SourceStatus) => <Name source={s} /> };
  if (!wide) {
    const all = (_: unknown, s: SourceStatus) => (
      <span className="stack">
        <span className="row">
          <State source={s} /> <Name source={s} />
        </span>
        {s.message && <Why source={s} />}
        <span className="muted">
          {t('sources.lastEvent')}: <Since at={s.lastEvent} />
        </span>
        {!s.up && (
          <span>
            {t('sources.staleSince')}: <Stale source={s} />
          </span>
        )}
        <span className="muted">
          {t('sources.places')}: <Places source={s} />
        </span>
      </span>
    );
    return [{ ...source, render: all }];
  }
  return [
    { title: t('sources.state'), key: 'state', render: (_, s) => <State source={s} /> },
    source,
    { title: t('sources.lastEvent'), key: 'last', render: (_, s) => <Since at={s.lastEvent} /> },
    { title: t('sources.staleSince'), key: 'stale', render: (_, s) => <Stale source={s} /> },
    { title: t('sources.places'), key: 'places', render: (_, s) => <Places source={s} /> },
    { title: t('sources.message'), key: 'message', width: '30%', render: (_, s) => <Why source={s} /> },
  ];
}

function State({ source: s }: { source: SourceStatus }) {
  const { t } = useTranslation();
  return (
    <Badge tone={s.up ? 'good' : 'bad'} title={s.up ? undefined : t('overview.sourceDownHint')}>
      {s.up ? t('overview.sourceUp') : t('overview.sourceDown')}
    </Badge>
  );
}

const Name = ({ source: s }: { source: SourceStatus }) => <strong className="break">{s.name}</strong>;

function Stale({ source: s }: { source: SourceStatus }) {
  const { t } = useTranslation();
  if (s.up) return <span className="muted">{t('sources.current')}</span>;
  return (
    <span className="row">
      <Since at={s.staleSince} />
      {s.copied && (
        <Badge tone="warn" title={t('sources.copyHint')}>
          {t('sources.copy')}
        </Badge>
      )}
    </span>
  );
}

function Places({ source: s }: { source: SourceStatus }) {
  const { t } = useTranslation();
  const pending = s.pending ?? 0;
  return (
    <span className="num">
      {s.upstreams ?? 0}
      {pending > 0 && <span className="muted"> ({t('sources.pending', { count: pending })})</span>}
    </span>
  );
}

function Why({ source: s }: { source: SourceStatus }) {
  if (!s.message) return <span className="faint">-</span>;
  return <span className={s.up ? 'break' : 'break text-bad'}>{s.message}</span>;
}
