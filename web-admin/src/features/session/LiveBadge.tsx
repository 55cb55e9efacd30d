import { useTranslation } from 'react-i18next';
import { useLiveState } from '../../api/live';
import { clock, span } from '../../i18n/time';
import { Badge } from '../../ui/Badge';
import { useNow } from '../../ui/useNow';

/** Whether what the pages show is current, and if not, since when. */
export function LiveBadge() {
  const { t } = useTranslation();
  const state = useLiveState();
  const now = useNow();
  if (state.phase === 'connecting') return <Badge tone="note">{t('live.connecting')}</Badge>;
  if (state.phase === 'live') {
    return (
      <Badge tone="good" title={t('live.liveHint')}>
        {t('live.live')}
      </Badge>
    );
  }
  const time = clock(new Date(state.since), new Date(now));
  return (
    <span role="status">
      <Badge tone="warn" title={t('live.reconnectingHint', { time, attempt: state.attempt })}>
        {t('live.reconnecting', { time, span: span(now - state.since, t) })}
      </Badge>
    </span>
  );
}
