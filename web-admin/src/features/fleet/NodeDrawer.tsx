import { Link } from '@tanstack/react-router';
import { Drawer } from 'antd';
import { useTranslation } from 'react-i18next';
import type { ApplyFailure, FileDrift, Node } from '../../api/types';
import { Badge } from '../../ui/Badge';
import { Digest } from '../../ui/Digest';
import { Facts } from '../../ui/Page';
import { Nothing } from '../../ui/States';
import { Clock, Since } from '../../ui/Time';
import { UnifiedDiff } from '../../ui/UnifiedDiff';
import { NodeLeave } from './NodeLeave';
import { Reason, ReloadDebt, Warnings } from './NodeNotes';
import { Digests, FailedAt, StateBadge } from './NodeTable';
import { desiredOf } from './sides';

interface NodeDrawerProps {
  node: Node | undefined;
  /** Of the node that is asked for; closed when undefined. */
  name: string | undefined;
  onClose: () => void;
}

/** Everything that is known about one node. */
export function NodeDrawer({ node: n, name, onClose }: NodeDrawerProps) {
  const { t } = useTranslation();
  return (
    <Drawer open={name !== undefined} onClose={onClose} size={720} title={t('fleet.details', { node: name })} closable={{ 'aria-label': t('common.close') }}>
      {n ? <Details node={n} onForgotten={onClose} /> : <Nothing title={t('fleet.gone')} />}
    </Drawer>
  );
}

function Details({ node: n, onForgotten }: { node: Node; onForgotten: () => void }) {
  const { t } = useTranslation();
  const drift = n.drift ?? [];
  return (
    <div className="node-details">
      <p className="row">
        <StateBadge node={n} /> {t(`nodeStateHint.${n.state}`)}
        <Link to="/fleet/$fleet/diff" params={{ fleet: n.fleet }} search={{ from: desiredOf(n.node), to: n.node }}>
          {t('fleet.compareDesired')}
        </Link>
      </p>
      {n.revoked && <p className="text-bad">{t('fleet.revokedHint')}</p>}
      <Reason node={n} />
      <Warnings node={n} />
      <Digests node={n} />
      <h3>{t('fleet.lastError')}</h3>
      {n.failed ? <Failure failure={n.failed} /> : <p className="muted">{t('fleet.noError')}</p>}
      <h3>{t('fleet.driftFiles')}</h3>
      {drift.length === 0 ? <p className="muted">{t('fleet.noDrift')}</p> : drift.map((d) => <Drift key={d.path} drift={d} />)}
      <h3>{t('fleet.facts')}</h3>
      <NginxFacts node={n} />
      <h3>{t('leave.title')}</h3>
      <NodeLeave node={n} onForgotten={onForgotten} />
    </div>
  );
}

function Failure({ failure: f }: { failure: ApplyFailure }) {
  const { t } = useTranslation();
  return (
    <>
      <p className="row">
        <Badge tone="bad">{t('fleet.errorAt', { step: t(`step.${f.step}`) })}</Badge>
        <FailedAt failure={f} />
        <span className="muted">
          {t('fleet.bundle')} <Digest value={f.digest} /> · <Clock at={f.at} />
        </span>
      </p>
      <pre className="message">{f.message}</pre>
    </>
  );
}

function Drift({ drift: d }: { drift: FileDrift }) {
  const { t } = useTranslation();
  return (
    <div className="drift">
      <p className="row">
        <strong className="mono break">{d.path}</strong>
        <Badge tone="warn">{t(`fleet.drift.${d.change}`)}</Badge>
      </p>
      <UnifiedDiff text={d.diff} />
    </div>
  );
}

function NginxFacts({ node: n }: { node: Node }) {
  const { t } = useTranslation();
  const { facts: f } = n;
  return (
    <Facts
      narrow
      items={[
        { label: 'nginx', value: `${f.nginxVersion}${f.pid ? ` (${t('fleet.pid')} ${f.pid})` : ''}` },
        { label: t('fleet.configuration'), value: <span className="mono">{f.confPath}</span> },
        { label: t('fleet.tree'), value: <span className="mono">{f.treePath}</span> },
        { label: t('fleet.modules'), value: f.modules?.join(', ') || t('common.none') },
        { label: t('fleet.endpoints'), value: n.endpoints === undefined ? t('fleet.notKnown') : n.endpoints === 'lua' ? t('fleet.endpointsLuaHint') : t('fleet.endpointsFilesWhy', { why: n.endpoints.replace(/^static: /, '') }) },
        ...(n.live ? [{ label: t('fleet.live'), value: <span className="mono">{n.live}</span> }] : []),
        { label: t('fleet.reloads'), value: <Reloads node={n} /> },
        ...(n.loadedAt ? [{ label: t('fleet.loadedAt'), value: <><Since at={n.loadedAt} /> {n.loadedBy && t(`loadedBy.${n.loadedBy}`)}</> }] : []),
        { label: t('fleet.agent'), value: f.agentVersion },
        { label: t('fleet.fingerprint'), hint: t('fleet.fingerprintHint'), value: <Digest value={n.fingerprint} copyable /> },
        { label: t('fleet.lastReport'), value: <Since at={n.reportedAt} /> },
      ]}
    />
  );
}

function Reloads({ node: n }: { node: Node }) {
  const { t } = useTranslation();
  return (
    <>
      {t('fleet.reloadCount', { count: n.reloads ?? 0, failed: n.reloadsFailed ?? 0 })}
      <ReloadDebt node={n} />
    </>
  );
}
