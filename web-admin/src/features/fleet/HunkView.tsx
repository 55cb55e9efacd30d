import { Link } from '@tanstack/react-router';
import { Button } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { FileOwner, HunkNode, NodeHunk, SettleAction } from '../../api/types';
import type { Tone } from '../../ui/Badge';
import { Badge } from '../../ui/Badge';
import { Since, Until } from '../../ui/Time';
import { UnifiedDiff } from '../../ui/UnifiedDiff';
import { SettleDialog } from './SettleDialog';
import type { Side } from './drift';
import { rows, settlements, unified } from './drift';
import { desiredOf } from './sides';

const kindTones: Record<NodeHunk['kind'], Tone> = { by_hand: 'warn', outside: 'warn', rendered: 'off' };

interface HunkViewProps {
  fleet: string;
  hunk: NodeHunk;
  /** Other edits of the same files. */
  others: NodeHunk[];
  view: 'split' | 'unified';
}

/** One directive that differs: where, how, on which nodes and by whom, and what can be done. */
export function HunkView({ fleet, hunk: h, others, view }: HunkViewProps) {
  const { t } = useTranslation();
  const [asking, setAsking] = useState<SettleAction>();
  const line = h.newLine ?? h.oldLine;
  return (
    <article className="panel panel-flush hunk" aria-label={h.id}>
      <header className="panel-head">
        <h2 className="mono break">
          {h.path}
          {line ? `:${line}` : ''}
        </h2>
        <Badge tone={kindTones[h.kind]} title={t(`hunkKindHint.${h.kind}`)}>
          {t(`hunkKind.${h.kind}`)}
        </Badge>
        <span className="muted">{t(`hunkChange.${h.change}`)}</span>
        <span className="panel-extra row">
          {settlements(h).map((action) => (
            <Button key={action} size="small" onClick={() => setAsking(action)}>
              {t(`settle.do.${action}`)}
            </Button>
          ))}
        </span>
      </header>
      {h.where && h.where.length > 0 && <div className="hunk-where mono muted break">{h.where.join(' › ')}</div>}
      {view === 'split' ? <Beside hunk={h} /> : <UnifiedDiff text={unified(h)} />}
      {h.kind === 'rendered' && <div className="list-note muted">{t('hunkKindHint.rendered')}</div>}
      <ul className="list">
        {h.on.map((n) => (
          <li key={n.node}>
            <OnNode fleet={fleet} on={n} />
          </li>
        ))}
      </ul>
      {asking && <SettleDialog fleet={fleet} hunk={h} others={others} action={asking} onClose={() => setAsking(undefined)} />}
    </article>
  );
}

function Beside({ hunk: h }: { hunk: NodeHunk }) {
  const { t } = useTranslation();
  return (
    <table className="beside">
      <thead>
        <tr>
          <th scope="col">{t(h.kind === 'outside' ? 'drift.most' : 'drift.should')}</th>
          <th scope="col">{t('drift.is')}</th>
        </tr>
      </thead>
      <tbody>
        {rows(h).map(([old, now], i) => (
          <tr key={i}>
            <SideCell side={old} mark="udiff-del" />
            <SideCell side={now} mark="udiff-add" />
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function SideCell({ side, mark }: { side: Side | undefined; mark: string }) {
  if (!side) return <td className="beside-none" />;
  return (
    <td className={`mono ${mark}`}>
      <span className="faint num beside-line">{side.line ?? ''}</span>
      {side.text}
    </td>
  );
}

function OnNode({ fleet, on: n }: { fleet: string; on: HunkNode }) {
  const { t } = useTranslation();
  return (
    <>
      <div className="list-head">
        <strong>{n.node}</strong>
        {n.owner && <Owner owner={n.owner} />}
        {n.allowed && (
          <Badge tone="note">
            <span className="wrap">
              {t('drift.allowed')} <Until at={n.allowed.until} />
            </span>
          </Badge>
        )}
        {n.asked && <Badge tone="note">{t('drift.asked')}</Badge>}
        <span className="list-side">
          <Link to="/fleet/$fleet/diff" params={{ fleet }} search={{ from: desiredOf(n.node), to: n.node }}>
            {t('drift.wholeFile')}
          </Link>
        </span>
      </div>
      {n.owner && n.owner.hint !== 'unknown' && <div className="muted break">{t('drift.logs', { hint: n.owner.hint })}</div>}
      {n.allowed && (n.allowed.reason || n.allowed.by) && (
        <div className="muted break">{t('drift.allowedBy', { who: n.allowed.by ?? t('pin.somebody'), reason: n.allowed.reason ?? '-' })}</div>
      )}
      {n.failed && <pre className="message">{t('drift.failed', { message: n.failed })}</pre>}
    </>
  );
}

function Owner({ owner: o }: { owner: FileOwner }) {
  const { t } = useTranslation();
  return (
    <span className="muted">
      {t('drift.owner', { user: o.user ? `${o.user} (uid ${o.uid})` : `uid ${o.uid}` })} <Since at={o.modified} />
      {o.hint === 'unknown' && ` · ${t('drift.noLogs')}`}
    </span>
  );
}
