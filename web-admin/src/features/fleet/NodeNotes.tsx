import { useTranslation } from 'react-i18next';
import type { Node } from '../../api/types';
import { span } from '../../i18n/time';
import { Badge } from '../../ui/Badge';
import { parseTime } from '../../ui/Time';
import { useNow } from '../../ui/useNow';

export const hasReason = (n: Node) => Boolean(n.reason || n.mismatch || n.allowed);

/** Why the node is not what it should be, in words. */
export function Reason({ node: n }: { node: Node }) {
  const { t } = useTranslation();
  if (!hasReason(n)) return null;
  return (
    <div className="node-note">
      {n.reason && <div>{t(`reason.${n.reason}`)}</div>}
      {/* The two reasons about edits say the same as the mismatch. */}
      {n.mismatch && n.reason !== 'edited_not_loaded' && n.reason !== 'edited_and_loaded' && <div>{t(`mismatch.${n.mismatch}`)}</div>}
      {n.allowed !== undefined && n.allowed > 0 && <div className="muted">{t('fleet.allowedEdits', { count: n.allowed })}</div>}
    </div>
  );
}

/** How nginx gets endpoints: by Lua without a reload, or in its files, and then why. */
export function Endpoints({ node: n }: { node: Node }) {
  const { t } = useTranslation();
  if (!n.endpoints) return null;
  const lua = n.endpoints === 'lua';
  const why = /^static: (.*)$/s.exec(n.endpoints)?.[1];
  return (
    <Badge tone={lua ? 'good' : 'off'} plain title={lua ? t('fleet.endpointsLuaHint') : why}>
      {lua ? t('fleet.endpointsLua') : t('fleet.endpointsFiles')}
    </Badge>
  );
}

/** Workers of before the last reloads that still have connections: what reloading costs. */
export function ReloadDebt({ node: n }: { node: Node }) {
  const { t } = useTranslation();
  const now = useNow();
  if (!n.drainingWorkers) return null;
  const oldest = parseTime(n.oldestDraining);
  return (
    <div className="text-warn" title={n.reloadEvery ? t('fleet.reloadEvery', { span: n.reloadEvery }) : undefined}>
      {t('fleet.draining', { count: n.drainingWorkers })}
      {oldest && ` (${span(now - oldest.getTime(), t)})`}
    </div>
  );
}

/** What else a person has to know before touching the node; for its details. */
export function Warnings({ node: n }: { node: Node }) {
  const { t } = useTranslation();
  return (
    <>
      {n.checkError && (
        <>
          <p className="text-bad">{t('fleet.checkError')}</p>
          <pre className="message">{n.checkError}</pre>
        </>
      )}
      {n.orphans && n.orphans.length > 0 && <p className="text-bad">{t('fleet.orphans', { list: n.orphans.join(', ') })}</p>}
      {n.runningVersion && <p className="text-warn">{t('fleet.runningVersion', { version: n.runningVersion })}</p>}
      {n.clockOff && <p className="text-warn">{t('fleet.clockOff', { span: n.clockOff })}</p>}
      {n.recovered && <p className="break">{t('fleet.recovered', { message: n.recovered.message })}</p>}
      {n.overwritten && n.overwritten.length > 0 && <p className="text-warn break">{t('fleet.overwritten', { list: n.overwritten.map((d) => d.path).join(', ') })}</p>}
    </>
  );
}
