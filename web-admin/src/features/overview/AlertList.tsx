import { useTranslation } from 'react-i18next';
import type { Alerts } from '../../api/types';
import { Badge } from '../../ui/Badge';
import { Nothing } from '../../ui/States';
import { Since } from '../../ui/Time';

const firstShown = 10;

/** What is wrong now, as receivers are told it, and which of them can not be told. */
export function AlertList({ alerts: { items, receivers } }: { alerts: Alerts }) {
  const { t } = useTranslation();
  const untold = receivers.filter((r) => r.error);
  if (items.length === 0 && untold.length === 0) {
    return <Nothing title={receivers.length === 0 ? t('overview.noReceivers') : t('overview.noAlerts', { count: receivers.length })} />;
  }
  return (
    <ul className="list">
      {untold.map((r) => (
        <li key={`receiver ${r.name}`}>
          <div className="list-head">
            <Badge tone="bad">{t('overview.untold')}</Badge>
            <strong>{r.name}</strong>
            <span className="muted">{t('overview.waiting', { count: r.waiting })}</span>
          </div>
          <div className="text-bad break">{r.error}</div>
        </li>
      ))}
      {items.slice(0, firstShown).map((a) => (
        <li key={a.id}>
          <div className="list-head">
            <Badge tone={a.severity === 'critical' ? 'bad' : 'warn'}>{t(`alertKind.${a.kind}`)}</Badge>
            <strong className="break">{a.subject}</strong>
            <span className="list-side">
              <Since at={a.since} />
            </span>
          </div>
          <div className="break">{a.detail || a.summary}</div>
        </li>
      ))}
      {items.length > firstShown && <li className="muted">{t('overview.more', { count: items.length - firstShown })}</li>}
    </ul>
  );
}
