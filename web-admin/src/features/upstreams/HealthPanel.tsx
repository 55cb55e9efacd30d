import { useTranslation } from 'react-i18next';
import type { UpstreamHealth, UpstreamKey } from '../../api/types';
import { Badge } from '../../ui/Badge';
import { Facts, Panel } from '../../ui/Page';
import { Said } from '../../ui/Said';
import { QueryView } from '../../ui/States';
import { Since } from '../../ui/Time';
import { useUpstreamHealth } from './health';

/** What this node says about the upstream as a whole, and how many endpoints it may eject. */
export function HealthPanel({ upstream }: { upstream: UpstreamKey }) {
  const { t } = useTranslation();
  const health = useUpstreamHealth(upstream);
  return (
    <Panel title={t('health.title')} extra={health.data && t('health.observer', { node: health.data.observer })}>
      <QueryView query={health}>{(h) => <HealthFacts health={h} />}</QueryView>
    </Panel>
  );
}

function HealthFacts({ health: h }: { health: UpstreamHealth }) {
  const { t } = useTranslation();
  const would = h.wouldBeEjected ?? [];
  return (
    <Facts
      items={[
        { label: t('health.service'), value: <Service health={h} /> },
        {
          label: t('health.mayEject'),
          hint: t('health.mayEjectHint'),
          value: (
            <>
              <strong className="num">{t('health.of', { some: h.mayEject, all: h.eligible })}</strong>
              <div className="muted">
                <Said of="bound" code={h.bound} text={h.arithmetic} />
              </div>
            </>
          ),
        },
        { label: t('health.ejected'), value: <span className="num">{h.ejected}</span> },
        ...(h.shadow ? [{ label: t('health.shadow'), value: <Shadow would={would} /> }] : []),
      ]}
    />
  );
}

function Service({ health: { service: s, serviceStanding: all, panic } }: { health: UpstreamHealth }) {
  const { t } = useTranslation();
  return (
    <>
      <span className="row">
        <Badge tone={s.bad ? 'bad' : 'good'} title={t(s.bad ? 'health.badHint' : 'health.goodHint')}>
          {t(s.bad ? 'health.bad' : 'health.good')}
        </Badge>
        {s.bad && <Since at={s.since} />}
        {s.bad && s.rule && <code>{s.rule}</code>}
        {panic && (
          <Badge tone="warn" title={t('upstreams.panicHint')}>
            {t('upstreams.panic')}
          </Badge>
        )}
      </span>
      {s.bad && s.reason && (
        <div>
          <Said of="rule" code={s.rule} text={s.reason} />
        </div>
      )}
      {s.bad && <div className="muted">{t('health.badHint')}</div>}
      {all && all.observers > 1 && <div className="break">{t('standing.service', { bad: all.bad.length, observers: all.observers, list: all.bad.join(', ') })}</div>}
    </>
  );
}

function Shadow({ would }: { would: string[] }) {
  const { t } = useTranslation();
  return (
    <>
      <Badge tone="note">{t('health.shadowOn')}</Badge>
      <div>{would.length === 0 ? t('health.wouldNone') : t('health.would')}</div>
      {would.map((address) => (
        <div key={address} className="mono">
          {address}
        </div>
      ))}
    </>
  );
}
