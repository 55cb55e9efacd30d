import { useTranslation } from 'react-i18next';
import type { Rollout } from '../../api/types';
import { span } from '../../i18n/time';
import { Nothing, QueryView } from '../../ui/States';
import { Clock, parseTime } from '../../ui/Time';
import { Figures } from './RolloutFigures';
import { About, RolloutBadge, RolloutReason } from './RolloutPanel';
import { Waves } from './RolloutWaves';
import { isActive, useRollouts } from './rollouts';

/** The rollouts that are over, the newest first. */
export function RolloutHistory({ fleet, onNode }: { fleet: string; onNode: (node: string) => void }) {
  const { t } = useTranslation();
  const query = useRollouts(fleet);
  return (
    <QueryView query={query}>
      {(list) => {
        const over = list.filter((r) => !isActive(r));
        if (over.length === 0) return <Nothing title={t('rollout.noHistory')} />;
        return (
          <ul className="panel list" aria-label={t('rollout.history')}>
            {over.map((r) => (
              <li key={`${r.revision} ${r.startedAt}`} className="stack rollout">
                <Entry rollout={r} onNode={onNode} />
              </li>
            ))}
          </ul>
        );
      }}
    </QueryView>
  );
}

function Entry({ rollout: r, onNode }: { rollout: Rollout; onNode: (node: string) => void }) {
  const { t } = useTranslation();
  const ended = parseTime(r.endedAt);
  const judged = r.waves[r.wave - 1]?.figures;
  return (
    <>
      <div className="list-head">
        <RolloutBadge rollout={r} />
        <strong className="num">{t('rollout.revision', { to: r.revision, from: r.from })}</strong>
        <span className="list-side">
          <Clock at={r.startedAt} />
          {ended && <span className="muted"> {t('rollout.took', { span: span(ended.getTime() - Date.parse(r.startedAt), t) })}</span>}
        </span>
      </div>
      {r.reason && (
        <div className={r.state === 'failed' ? 'text-bad break' : 'break'}>
          <RolloutReason rollout={r} />
        </div>
      )}
      <About rollout={r} />
      <details>
        <summary>{t('rollout.how', { count: r.waves.length })}</summary>
        <Waves rollout={r} nodes={[]} onNode={onNode} />
        {judged && <Figures figures={judged} />}
      </details>
    </>
  );
}
