import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { tallyNodes } from '../../api/tally';
import { nodeTones } from '../../api/tones';
import type { SourceStatus, Status } from '../../api/types';
import { nodeStates } from '../../api/types';
import { clock, span } from '../../i18n/time';
import { Badge } from '../../ui/Badge';
import { Nothing } from '../../ui/States';
import { parseTime } from '../../ui/Time';
import { useNow } from '../../ui/useNow';
import type { FleetSummary } from './queries';

/** Who discovers endpoints, and whether it answers. */
export function SourceList({ sources }: { sources: SourceStatus[] }) {
  const { t } = useTranslation();
  const now = useNow();
  if (sources.length === 0) return <Nothing title={t('overview.noSources')} />;
  return (
    <ul className="list">
      {sources.map((s) => {
        const last = parseTime(s.lastEvent);
        const stale = parseTime(s.staleSince);
        return (
          <li key={`${s.kind}/${s.name}`}>
            <div className="list-head">
              <Badge tone={s.up ? 'good' : 'bad'} title={s.up ? undefined : t('overview.sourceDownHint')}>
                {s.up ? t('overview.sourceUp') : t('overview.sourceDown')}
              </Badge>
              <strong>{s.name}</strong>
              {s.name !== s.kind && <span className="muted">{t(`source.${s.kind}`)}</span>}
              <span className="list-side num" title={s.lastEvent}>
                {last ? t('overview.lastEvent', { span: span(now - last.getTime(), t) }) : t('overview.noEvent')}
              </span>
            </div>
            {!s.up && s.message && <div className="text-bad">{s.message}</div>}
            {stale && <div className="text-warn">{t(s.copied ? 'overview.staleCopy' : 'overview.staleSince', { time: clock(stale, new Date(now)) })}</div>}
            {s.upstreams !== undefined && s.upstreams > 0 && <div className="muted">{t('overview.followers', { count: s.upstreams })}</div>}
          </li>
        );
      })}
    </ul>
  );
}

/** Where this process takes traffic, and agents. */
export function ListenerList({ listeners }: { listeners: Status['listeners'] }) {
  const { t } = useTranslation();
  if (listeners.length === 0) return <Nothing title={t('overview.noListeners')} />;
  return (
    <ul className="list">
      {listeners.map((l) => (
        // A listener for requests may have the name, too.
        <li key={`${l.agents ? 'agents' : 'requests'} ${l.name}`}>
          <div className="list-head">
            <strong>{l.name}</strong>
            {l.tls && <Badge tone="note">TLS</Badge>}
            {l.agents && (
              <Badge tone="off" title={t('overview.forAgentsHint')}>
                {t('overview.forAgents')}
              </Badge>
            )}
            <span className="list-side mono">{l.address}</span>
          </div>
        </li>
      ))}
    </ul>
  );
}

/** Fleets with their nodes by state. */
export function FleetList({ fleets }: { fleets: FleetSummary[] }) {
  const { t } = useTranslation();
  if (fleets.length === 0) return <Nothing title={t('overview.noFleets')} />;
  return (
    <ul className="list">
      {fleets.map((f) => {
        const states = tallyNodes(f.nodes ?? []);
        return (
          <li key={f.name}>
            <div className="list-head">
              <Link to="/fleet" search={{ fleet: f.name }}>
                <strong>{f.name}</strong>
              </Link>
              {f.nodes?.length === 0 && <span className="muted">{t('overview.noNodes')}</span>}
              {nodeStates
                .filter((s) => states[s] > 0)
                .map((s) => (
                  <Link key={s} to="/fleet" search={{ fleet: f.name, state: s }} title={t(`nodeStateHint.${s}`)}>
                    <Badge tone={nodeTones[s]}>
                      <span className="num">{states[s]}</span> {t(`nodeState.${s}`)}
                    </Badge>
                  </Link>
                ))}
            </div>
          </li>
        );
      })}
    </ul>
  );
}
