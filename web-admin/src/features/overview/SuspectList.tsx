import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { verdictTones } from '../../api/tones';
import { Badge } from '../../ui/Badge';
import { Said } from '../../ui/Said';
import { Nothing } from '../../ui/States';
import { Since, Until } from '../../ui/Time';
import type { Suspect } from './queries';

const firstShown = 15;

/** Endpoints with a bad verdict: which, since when and why. */
export function SuspectList({ suspects }: { suspects: Suspect[] }) {
  const { t } = useTranslation();
  if (suspects.length === 0) return <Nothing title={t('overview.noAttention')} />;
  return (
    <ul className="list">
      {suspects.slice(0, firstShown).map(({ upstream: u, endpoint: e }) => (
        <li key={`${u.tenant}/${u.name}/${e.address}`}>
          <div className="list-head">
            <Badge tone={verdictTones[e.verdict.state]} title={t(`verdictHint.${e.verdict.state}`)}>
              {t(`verdict.${e.verdict.state}`)}
            </Badge>
            <Link to="/upstreams/$tenant/$name" params={u} search={{ endpoint: e.address }}>
              <span className="mono">{e.address}</span>
            </Link>
            <Link className="muted" to="/upstreams/$tenant/$name" params={u}>
              {u.tenant}/{u.name}
            </Link>
            <span className="list-side">
              <Since at={e.verdict.since} />
            </span>
          </div>
          <div>
            <Said of="rule" code={e.verdict.rule} text={e.verdict.reason} />
            {e.verdict.state === 'ejected' && e.verdict.until && (
              <>
                {' · '}
                <Until at={e.verdict.until} />
              </>
            )}
          </div>
        </li>
      ))}
      {suspects.length > firstShown && (
        <li>
          <Link to="/upstreams" search={{ state: 'trouble' }}>
            {t('overview.more', { count: suspects.length - firstShown })}
          </Link>
        </li>
      )}
    </ul>
  );
}
