import { Button, Select } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { eventTones, verdictTones } from '../../api/tones';
import type { EffectiveUpstream, HealthEvent } from '../../api/types';
import { Badge } from '../../ui/Badge';
import { Facts, Panel } from '../../ui/Page';
import { Said } from '../../ui/Said';
import { Nothing, QueryView } from '../../ui/States';
import { Clock, Until, parseTime } from '../../ui/Time';
import { Samples } from './Samples';
import { countFacts } from './counts';
import { keptEvents, useHealthEvents } from './health';

interface EventLogProps {
  upstream: EffectiveUpstream;
  /** Only of this endpoint. */
  address: string | undefined;
  onAddress: (address: string | undefined) => void;
}

const firstShown = 20;

/** The transitions of the upstream, the newest first, each with what it rests on. */
export function EventLog({ upstream: u, address, onAddress }: EventLogProps) {
  const { t } = useTranslation();
  const [all, setAll] = useState(false);
  const events = useHealthEvents(u.key, address, all ? keptEvents : firstShown);
  // One that is gone may still be asked for, by an address bar or an old link.
  const addresses = [...new Set([...u.endpoints.map((e) => e.address), ...(address === undefined ? [] : [address])])].sort();
  return (
    <Panel
      flush
      title={t('event.title')}
      extra={
        <Select
          allowClear
          className="event-filter"
          aria-label={t('event.endpoint')}
          placeholder={t('event.anyEndpoint')}
          value={address ?? null}
          onChange={(a: string | null) => onAddress(a ?? undefined)}
          options={addresses.map((value) => ({ value, label: value }))}
        />
      }
    >
      <QueryView query={events}>
        {(items) => (
          <>
            {items.length === 0 ? <Nothing title={t('event.none')} hint={t('event.noneHint')} /> : <Events items={items} />}
            {!all && items.length >= firstShown && (
              <div className="list-note">
                <Button type="link" size="small" loading={events.isFetching} onClick={() => setAll(true)}>
                  {t('event.all')}
                </Button>
              </div>
            )}
          </>
        )}
      </QueryView>
    </Panel>
  );
}

function Events({ items }: { items: HealthEvent[] }) {
  return (
    <ul className="list">
      {items.map((e) => (
        <li key={`${e.at} ${e.kind} ${e.rule} ${e.address ?? ''}`}>
          <Event event={e} />
        </li>
      ))}
    </ul>
  );
}

function Event({ event: e }: { event: HealthEvent }) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  return (
    <details className="event" onToggle={(toggle) => setOpen(toggle.currentTarget.open)}>
      <summary>
        <span className="list-head">
          <Clock at={e.at} />
          <Badge tone={e.shadow ? 'note' : eventTones[e.kind]}>{e.shadow && e.kind === 'ejected' ? t('event.wouldEject') : t(`event.kind.${e.kind}`)}</Badge>
          {e.shadow && <Badge tone="off" title={t('event.shadowHint')}>{t('event.shadow')}</Badge>}
          <span className="mono">{e.address ?? t('event.whole')}</span>
        </span>
        <span className="event-reason">
          <Said of="rule" code={e.rule} text={e.reason} />
        </span>
      </summary>
      {open && <EventEvidence event={e} />}
    </details>
  );
}

/** What one transition rests on: who decided by which rule and numbers, and until when. */
function EventEvidence({ event: e }: { event: HealthEvent }) {
  const { t } = useTranslation();
  const { counts, ejections, samples } = e.verdict?.evidence ?? {};
  const until = e.verdict?.until;
  return (
    <div className="evidence">
      <Facts
        narrow
        items={[
          { label: t('evidence.rule'), value: <code>{e.rule}</code> },
          ...(e.from ? [{ label: t('event.from'), value: <Badge tone={verdictTones[e.from]} plain>{t(`verdict.${e.from}`)}</Badge> }] : []),
          ...countFacts(counts, t),
          ...(parseTime(until) ? [{ label: t('evidence.until'), value: <Until at={until} /> }] : []),
          { label: t('evidence.observer'), value: e.observer },
          ...(ejections ? [{ label: t('evidence.ejections'), value: ejections }] : []),
          ...(e.shadow ? [{ label: t('event.shadow'), value: t('event.shadowHint') }] : []),
        ]}
      />
      {e.address !== undefined && (
        <>
          <h3>{t('evidence.samples')}</h3>
          <Samples samples={samples ?? []} />
        </>
      )}
    </div>
  );
}
