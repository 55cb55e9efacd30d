import { useTranslation } from 'react-i18next';
import { clock, instant, span } from '../i18n/time';
import { useNow } from './useNow';

interface TimeProps {
  at: string | undefined;
}

// Go's zero time is no time.
export const parseTime = (at: string | undefined) => (at === undefined || at.startsWith('0001-') ? undefined : new Date(at));

/** "03:12:44" */
export function Clock({ at }: TimeProps) {
  const now = useNow();
  const d = parseTime(at);
  return d ? <time className="num" dateTime={at} title={instant(d)}>{clock(d, new Date(now))}</time> : <span className="faint">-</span>;
}

/** "4m 12s": how long ago. */
export function Age({ at }: TimeProps) {
  const { t } = useTranslation();
  const now = useNow();
  const d = parseTime(at);
  return d ? <time className="num" dateTime={at} title={instant(d)}>{span(now - d.getTime(), t)}</time> : <span className="faint">-</span>;
}

/** "03:12:44 (4m 12s)": since when, and how long that is. */
export function Since({ at }: TimeProps) {
  const { t } = useTranslation();
  const now = useNow();
  const d = parseTime(at);
  if (!d) return <span className="faint">-</span>;
  return (
    <time className="num" dateTime={at} title={instant(d)}>
      {clock(d, new Date(now))} <span className="muted nowrap">({span(now - d.getTime(), t)})</span>
    </time>
  );
}

/** "until 03:13:14, 25s left" */
export function Until({ at }: TimeProps) {
  const { t } = useTranslation();
  const now = useNow();
  const d = parseTime(at);
  if (!d) return null;
  const left = d.getTime() - now;
  return (
    <time className="num" dateTime={at} title={instant(d)}>
      {t('common.until', { time: clock(d, new Date(now)) })}
      {left > 0 && <span className="muted"> ({t('common.left', { span: span(left, t) })})</span>}
    </time>
  );
}
