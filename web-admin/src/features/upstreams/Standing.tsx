import { useTranslation } from 'react-i18next';
import { verdictTones } from '../../api/tones';
import type { Standing as StandingData, UpstreamHealth, UpstreamKey } from '../../api/types';
import type { Tone } from '../../ui/Badge';
import { Badge } from '../../ui/Badge';
import { Said } from '../../ui/Said';
import { QueryView } from '../../ui/States';
import { Since, Until } from '../../ui/Time';
import { useUpstreamHealth } from './health';

interface StandingProps {
  upstream: UpstreamKey;
  address: string;
}

/** Who sees what of an endpoint: every observer decides for itself, fleets follow the majority. */
export function Standing({ upstream, address }: StandingProps) {
  const { t } = useTranslation();
  const query = useUpstreamHealth(upstream);
  return (
    <>
      <h3>{t('standing.title')}</h3>
      <QueryView query={query}>
        {(health) => {
          const standing = health.standings?.find((s) => s.address === address);
          return (
            <>
              {standing ? <Sights standing={standing} /> : <p className="muted">{t('standing.none')}</p>}
              <FleetVerdicts health={health} address={address} />
            </>
          );
        }}
      </QueryView>
    </>
  );
}

const tones: Record<StandingData['scope'], Tone> = { node_bad: 'bad', path_bad: 'warn', service_bad: 'bad' };

function Sights({ standing: s }: { standing: StandingData }) {
  const { t } = useTranslation();
  const quiet = s.observers - s.sights.length;
  return (
    <>
      <p>
        <Badge tone={tones[s.scope]}>{t(`standing.scope.${s.scope}`)}</Badge> {t('standing.counts', { bad: s.bad, well: s.well, unknown: s.unknown })}
        <span className="muted"> {t(`standing.hint.${s.scope}`)}</span>
      </p>
      <ul className="panel list" aria-label={t('standing.title')}>
        {s.sights.map((sight) => (
          <li key={sight.observer}>
            <div className="list-head">
              <strong>{sight.observer}</strong>
              <Badge tone={verdictTones[sight.state]}>{t(`verdict.${sight.state}`)}</Badge>
              <Since at={sight.since} />
              {sight.state === 'ejected' && <Until at={sight.until} />}
            </div>
            {sight.reason && (
              <div className="break">
                <Said of="rule" code={sight.rule} text={sight.reason} />
              </div>
            )}
          </li>
        ))}
        {quiet > 0 && <li className="muted">{t('standing.quiet', { count: quiet })}</li>}
      </ul>
    </>
  );
}

/** What the logs of nginx nodes say, fleet by fleet. */
function FleetVerdicts({ health, address }: { health: UpstreamHealth; address: string }) {
  const { t } = useTranslation();
  const found = (health.fleets ?? []).flatMap((f) => f.verdicts.filter((v) => v.address === address).map((v) => ({ fleet: f.fleet, v })));
  if (found.length === 0) return null;
  return (
    <ul className="panel list" aria-label={t('standing.fleets')}>
      {found.map(({ fleet, v }) => (
        <li key={fleet}>
          <div className="list-head">
            <strong>{t('standing.fleet', { fleet })}</strong>
            <Badge tone={verdictTones[v.state]}>{t(`verdict.${v.state}`)}</Badge>
            <Since at={v.since} />
          </div>
          {v.reason && (
            <div className="break">
              <Said of="rule" code={v.rule} text={v.reason} />
            </div>
          )}
        </li>
      ))}
    </ul>
  );
}
