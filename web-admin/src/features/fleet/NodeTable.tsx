import { Grid, Table } from 'antd';
import type { ColumnsType } from 'antd/es/table';
import { useTranslation } from 'react-i18next';
import { nodeTones } from '../../api/tones';
import type { ApplyFailure, Node } from '../../api/types';
import { Badge } from '../../ui/Badge';
import { Digest } from '../../ui/Digest';
import { Nothing } from '../../ui/States';
import { Age, Since } from '../../ui/Time';
import { NodeActions } from './NodeActions';
import { Endpoints, hasReason, Reason, ReloadDebt } from './NodeNotes';

interface NodeTableProps {
  nodes: Node[];
  /** Of the fleet, filters aside: those to compare with. */
  all: Node[];
  onOpen: (n: Node) => void;
}

/** One row per node; a row opens its details. */
export function NodeTable({ nodes, all, onOpen }: NodeTableProps) {
  const { t } = useTranslation();
  const wide = Grid.useBreakpoint().md ?? true;
  const columns = useColumns(all, onOpen);
  if (nodes.length === 0) return <Nothing title={t('common.noMatch')} />;
  return (
    <div className="panel panel-flush">
      {wide ? (
        <Table<Node>
          className="click-rows"
          size="small"
          rowKey="node"
          dataSource={nodes}
          columns={columns}
          onRow={(n) => ({ onClick: () => onOpen(n) })}
          pagination={{ defaultPageSize: 100, hideOnSinglePage: true, showSizeChanger: false, size: 'small' }}
          showSorterTooltip={false}
        />
      ) : (
        <Cards nodes={nodes} all={all} onOpen={onOpen} />
      )}
    </div>
  );
}

function useColumns(all: Node[], onOpen: (n: Node) => void): ColumnsType<Node> {
  const { t } = useTranslation();
  return [
    { title: t('fleet.node'), key: 'node', sorter: (a, b) => (a.node < b.node ? -1 : 1), render: (_, n) => <OpenButton node={n} onOpen={onOpen} /> },
    { title: t('fleet.state'), key: 'state', render: (_, n) => <StateBadge node={n} /> },
    { title: <span title={t('fleet.desiredHint')}>{t('fleet.desired')}</span>, key: 'desired', render: (_, n) => <Desired node={n} /> },
    { title: <span title={t('fleet.onDiskHint')}>{t('fleet.onDisk')}</span>, key: 'disk', render: (_, n) => <Column digest={n.onDisk} since={n.onDiskSince} desired={n.desired} /> },
    { title: <span title={t('fleet.runningHint')}>{t('fleet.running')}</span>, key: 'running', render: (_, n) => <Column digest={n.running} since={n.runningSince} desired={n.desired} /> },
    { title: t('fleet.trouble'), key: 'error', width: '26%', render: (_, n) => <Trouble node={n} /> },
    { title: t('fleet.nginx'), key: 'nginx', render: (_, n) => <Nginx node={n} /> },
    { title: t('fleet.lastReport'), key: 'report', render: (_, n) => <span className={n.state === 'silent' ? 'text-bad nowrap' : 'nowrap'}><Age at={n.reportedAt} /></span> },
    { title: '', key: 'actions', align: 'right', render: (_, n) => <NodeActions node={n} all={all} /> },
  ];
}

function OpenButton({ node: n, onOpen }: { node: Node; onOpen: (n: Node) => void }) {
  const open = (e: React.MouseEvent) => {
    e.stopPropagation();
    onOpen(n);
  };
  return (
    <button type="button" className="linkish" onClick={open}>
      {n.node}
    </button>
  );
}

export function StateBadge({ node: n }: { node: Node }) {
  const { t } = useTranslation();
  return (
    <>
      <Badge tone={nodeTones[n.state]} title={t(`nodeStateHint.${n.state}`)}>
        {t(`nodeState.${n.state}`)}
      </Badge>
      {n.revoked && (
        <>
          {' '}
          <Badge tone="bad" plain title={t('fleet.revokedHint')}>
            {t('fleet.revoked')}
          </Badge>
        </>
      )}
    </>
  );
}

function Desired({ node: n }: { node: Node }) {
  const { t } = useTranslation();
  return (
    <div>
      {n.revision !== undefined && n.revision > 0 && <div className="num nowrap">{t('fleet.revision', { n: n.revision })}</div>}
      <Column digest={n.desired} since={n.desiredSince} />
    </div>
  );
}

function Nginx({ node: n }: { node: Node }) {
  return (
    <div className="digest-cell">
      <div className="num nowrap">{n.facts.nginxVersion}</div>
      <Endpoints node={n} />
      <ReloadDebt node={n} />
    </div>
  );
}

interface ColumnProps {
  digest: string | undefined;
  since: string | undefined;
  /** What it should be; without it nothing is compared. */
  desired?: string;
}

/** A digest and since when; one that differs from desired stands out. */
function Column({ digest, since, desired }: ColumnProps) {
  const { t } = useTranslation();
  const same = desired === undefined || digest === desired;
  return (
    <div className="digest-cell">
      <span className={same ? undefined : 'digest-differs'} title={desired === undefined ? undefined : t(same ? 'fleet.same' : 'fleet.differs')}>
        {digest ? <Digest value={digest} /> : <span className="muted">{t('fleet.notKnown')}</span>}
      </span>
      <div className="muted nowrap">
        <Since at={since} />
      </div>
    </div>
  );
}

function Trouble({ node: n }: { node: Node }) {
  const { t } = useTranslation();
  const drift = n.drift ?? [];
  if (!n.failed && drift.length === 0 && !hasReason(n)) return <span className="faint">-</span>;
  return (
    <div className="stack">
      <Reason node={n} />
      {n.failed && (
        <div className="clamp">
          <span className="muted">{t(`step.${n.failed.step}`)}</span> <FailedAt failure={n.failed} /> {n.failed.message}
        </div>
      )}
      {drift.length > 0 && (
        <div className="clamp">
          <Badge tone="warn" plain>
            {t('fleet.driftFiles')}:
          </Badge>{' '}
          <span className="mono break">{drift.map((d) => d.path).join(', ')}</span>
        </div>
      )}
    </div>
  );
}

/** "conf.d/acme.conf:12" */
export function FailedAt({ failure: f }: { failure: ApplyFailure }) {
  if (!f.file) return null;
  return (
    <strong className="mono break">
      {f.file}
      {f.line ? `:${f.line}` : ''}
    </strong>
  );
}

function Cards({ nodes, all, onOpen }: NodeTableProps) {
  const { t } = useTranslation();
  return (
    <ul className="list">
      {nodes.map((n) => (
        <li key={n.node} className="stack">
          <div className="list-head">
            <OpenButton node={n} onOpen={onOpen} />
            <StateBadge node={n} />
            <span className="muted">
              {t('fleet.lastReport')} <Age at={n.reportedAt} />
            </span>
          </div>
          <Digests node={n} />
          <div className="row">
            <span className="num">nginx {n.facts.nginxVersion}</span>
            <Endpoints node={n} />
            <ReloadDebt node={n} />
          </div>
          {(n.failed ?? n.drift?.length) || hasReason(n) ? <Trouble node={n} /> : null}
          <NodeActions node={n} all={all} />
        </li>
      ))}
    </ul>
  );
}

/** What a node should run, has on disk and runs, side by side. */
export function Digests({ node: n }: { node: Node }) {
  const { t } = useTranslation();
  return (
    <div className="three">
      <div>
        <div className="stat-label">{t('fleet.desired')}</div>
        <Desired node={n} />
      </div>
      <div>
        <div className="stat-label">{t('fleet.onDisk')}</div>
        <Column digest={n.onDisk} since={n.onDiskSince} desired={n.desired} />
      </div>
      <div>
        <div className="stat-label">{t('fleet.running')}</div>
        <Column digest={n.running} since={n.runningSince} desired={n.desired} />
      </div>
    </div>
  );
}
