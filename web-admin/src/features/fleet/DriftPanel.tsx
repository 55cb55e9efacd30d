import { Link } from '@tanstack/react-router';
import { Grid, Segmented } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { FleetDrift, Node, NodeGroup } from '../../api/types';
import { Badge } from '../../ui/Badge';
import { Digest } from '../../ui/Digest';
import { Panel } from '../../ui/Page';
import { Nothing, QueryView } from '../../ui/States';
import { Clock } from '../../ui/Time';
import { HunkView } from './HunkView';
import { answers, besides, hunksOf, useGroups } from './drift';
import { desiredOf } from './sides';

interface DriftPanelProps {
  fleet: string;
  nodes: Node[];
  onNode: (node: string) => void;
}

/** Which nodes are alike, which are not, and what to do about each difference. */
export function DriftPanel({ fleet, nodes, onNode }: DriftPanelProps) {
  const query = useGroups(fleet);
  return (
    <QueryView query={query}>
      {(drift) => (
        <>
          <Groups drift={drift} onNode={onNode} />
          <Hunks drift={drift} />
          <Answers nodes={nodes} />
        </>
      )}
    </QueryView>
  );
}

function Groups({ drift, onNode }: { drift: FleetDrift; onNode: (node: string) => void }) {
  const { t } = useTranslation();
  const unknown = drift.unknown ?? [];
  if (drift.groups.length === 0) return <Nothing title={t('drift.noNodes')} hint={unknown.length > 0 ? t('drift.unknown', { list: unknown.join(', ') }) : undefined} />;
  return (
    <Panel flush title={t('drift.groups')} extra={drift.summary}>
      <ul className="list" aria-label={t('drift.groups')}>
        {drift.groups.map((g) => (
          <li key={g.fingerprint} className="stack">
            <Group group={g} onNode={onNode} />
          </li>
        ))}
        {unknown.length > 0 && <li className="text-warn">{t('drift.unknown', { list: unknown.join(', ') })}</li>}
      </ul>
    </Panel>
  );
}

function Group({ group: g, onNode }: { group: NodeGroup; onNode: (node: string) => void }) {
  const { t } = useTranslation();
  // Nodes can be alike because all of them were edited in the same way.
  const edited = g.hunks?.some((h) => h.kind === 'by_hand' && h.on.some((n) => !n.allowed)) ?? false;
  return (
    <>
      <div className="list-head">
        <Badge tone={g.directives === 0 && !edited ? 'good' : 'warn'}>
          {g.reference ? t('drift.reference', { count: g.nodes.length }) : g.directives === 0 ? t('drift.sameDirectives', { count: g.nodes.length }) : t('drift.differ', { count: g.directives })}
        </Badge>
        <span className="wave-nodes">
          {g.nodes.map((n) => (
            <button type="button" key={n} className="linkish" onClick={() => onNode(n)}>
              {n}
            </button>
          ))}
        </span>
        <span className="list-side" title={t('fleet.fingerprintHint')}>
          <Digest value={g.fingerprint} />
        </span>
      </div>
      {g.marks?.map((m) => (
        <div key={m.node} className="text-warn">
          <strong>{m.node}</strong>: {t(`mismatch.${m.mismatch}`)}
        </div>
      ))}
    </>
  );
}

function Hunks({ drift }: { drift: FleetDrift }) {
  const { t } = useTranslation();
  const wide = Grid.useBreakpoint().md ?? true;
  const [chosen, setChosen] = useState<'split' | 'unified'>();
  const view = chosen ?? (wide ? 'split' : 'unified');
  const hunks = hunksOf(drift);
  if (hunks.length === 0) return drift.groups.length > 0 && <Nothing title={t('drift.none')} />;
  return (
    <section aria-label={t('drift.hunks')}>
      <div className="row drift-head">
        <h2>{t('drift.hunks')}</h2>
        <Segmented
          value={view}
          onChange={setChosen}
          options={[
            { value: 'split' as const, label: t('diff.split') },
            { value: 'unified' as const, label: t('diff.unified') },
          ]}
        />
      </div>
      {hunks.map((h) => (
        <HunkView key={h.id} fleet={drift.fleet} hunk={h} others={besides(hunks, h)} view={view} />
      ))}
    </section>
  );
}

/** What became of taking edits back: an edit that is gone is in no group any more. */
function Answers({ nodes }: { nodes: Node[] }) {
  const { t } = useTranslation();
  const list = answers(nodes).slice(0, 20);
  if (list.length === 0) return null;
  return (
    <Panel flush title={t('drift.answers')}>
      <ul className="list" aria-label={t('drift.answers')}>
        {list.map((a) => (
          <li key={`${a.node} ${a.hunk} ${a.at}`}>
            <div className="list-head">
              <Badge tone={a.error ? 'bad' : 'good'}>{a.error ? t('drift.notTaken') : t('drift.taken')}</Badge>
              <Link to="/fleet/$fleet/diff" params={{ fleet: nodes[0]?.fleet ?? '' }} search={{ from: desiredOf(a.node), to: a.node }}>
                {a.node}
              </Link>
              <span className="mono">{a.hunk}</span>
              <span className="list-side">
                <Clock at={a.at} />
              </span>
            </div>
            {a.error && <div className="text-bad break">{a.error}</div>}
          </li>
        ))}
      </ul>
    </Panel>
  );
}
