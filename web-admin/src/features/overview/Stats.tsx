import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { tally } from '../../api/tally';
import { nodeTones, verdictTones } from '../../api/tones';
import type { Status, UpstreamView } from '../../api/types';
import { healthStates, nodeStates } from '../../api/types';
import { Badge } from '../../ui/Badge';

interface StatsProps {
  status: Status;
  upstreams: UpstreamView[] | undefined;
}

/** How many of what; a verdict or state leads to the list of those who have it. */
export function Stats({ status, upstreams }: StatsProps) {
  const { t } = useTranslation();
  const { counts } = status;
  const states = upstreams && tally(upstreams.flatMap((v) => v.upstream.endpoints)).states;
  const nodes = counts.nodes;
  const nodeTotal = Object.values(nodes).reduce((a, b) => a + b, 0);
  return (
    <div className="stats">
      <Stat label={t('overview.tenants')} value={counts.tenants} />
      <Stat label={t('overview.hosts')} value={counts.hosts} />
      <Stat label={t('overview.routes')} value={counts.routes} />
      <Stat label={t('overview.upstreams')} value={<Link to="/upstreams">{counts.upstreams}</Link>} />
      <Stat
        wide
        label={t('overview.endpoints')}
        value={
          <>
            {counts.endpoints} <small>{t('overview.inRotation', { count: counts.endpointsInRotation })}</small>
          </>
        }
      >
        {states &&
          healthStates
            .filter((s) => states[s] > 0)
            .map((s) => (
              <Link key={s} to="/upstreams" search={{ state: s }} title={t(`verdictHint.${s}`)}>
                <Badge tone={verdictTones[s]}>
                  <span className="num">{states[s]}</span> {t(`verdict.${s}`)}
                </Badge>
              </Link>
            ))}
      </Stat>
      <Stat wide label={t('overview.nodes')} value={nodeTotal}>
        {nodeTotal === 0 && <span className="muted">{t('overview.noNodes')}</span>}
        {nodeStates
          .filter((s) => (nodes[s] ?? 0) > 0)
          .map((s) => (
            <Badge key={s} tone={nodeTones[s]} title={t(`nodeStateHint.${s}`)}>
              <span className="num">{nodes[s]}</span> {t(`nodeState.${s}`)}
            </Badge>
          ))}
      </Stat>
    </div>
  );
}

interface StatProps {
  label: string;
  value: ReactNode;
  wide?: boolean;
  children?: ReactNode;
}

function Stat({ label, value, wide = false, children }: StatProps) {
  return (
    <div className={wide ? 'stat stat-wide' : 'stat'}>
      <div className="stat-label">{label}</div>
      <div className="row">
        <span className="stat-value">{value}</span>
        {children}
      </div>
    </div>
  );
}
