import { getRouteApi } from '@tanstack/react-router';
import { Select, Tabs } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Fleet, Node } from '../../api/types';
import { Badge } from '../../ui/Badge';
import { Page } from '../../ui/Page';
import { Nothing, QueryView } from '../../ui/States';
import { DriftPanel } from './DriftPanel';
import { NodeDrawer } from './NodeDrawer';
import { NodeList } from './NodeList';
import { RolloutHistory } from './RolloutHistory';
import { RolloutPanel } from './RolloutPanel';
import { TokenPanel } from './TokenPanel';
import { openHunks, useGroups } from './drift';
import { useFleets, useNodes } from './queries';
import { fleetTabs } from './search';
import type { FleetSearch } from './search';
import './fleet.css';

const route = getRouteApi('/pages/fleet');

/** One fleet: its rollout, its nodes, and what was changed on them by hand. */
export function FleetPage() {
  const { t } = useTranslation();
  const fleets = useFleets();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const chosen = search.fleet ?? fleets.data?.[0]?.name;
  const known = fleets.data?.some((f) => f.name === chosen);
  return (
    <Page
      title={t('fleet.title')}
      note={fleets.data && fleets.data.length > 0 && <Chooser fleets={fleets.data} chosen={chosen} onChoose={(fleet) => void navigate({ search: { fleet, tab: search.tab } })} />}
    >
      <QueryView query={fleets}>
        {(items) => {
          if (items.length === 0) return <Nothing title={t('fleet.empty')} hint={t('fleet.emptyHint')} />;
          if (chosen === undefined || !known) return <Nothing title={t('state.notFound')} hint={t('fleet.unknownFleet', { name: chosen })} />;
          return <OneFleet key={chosen} fleet={chosen} />;
        }}
      </QueryView>
    </Page>
  );
}

interface ChooserProps {
  fleets: Fleet[];
  chosen: string | undefined;
  onChoose: (fleet: string) => void;
}

function Chooser({ fleets, chosen, onChoose }: ChooserProps) {
  const { t } = useTranslation();
  return (
    <Select
      className="fleet-chooser"
      showSearch
      aria-label={t('fleet.choose')}
      value={chosen ?? null}
      onChange={(v: string | null) => v !== null && onChoose(v)}
      options={fleets.map((f) => ({ value: f.name, label: f.name }))}
    />
  );
}

function OneFleet({ fleet }: { fleet: string }) {
  const { t } = useTranslation();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const query = useNodes(fleet);
  const set = (change: FleetSearch, replace = true) => void navigate({ search: (old) => ({ ...old, ...change }), replace });
  const open = (node: string) => set({ node }, false);
  return (
    <>
      <RolloutPanel fleet={fleet} nodes={query.data ?? []} onNode={open} />
      <Tabs
        activeKey={search.tab ?? 'nodes'}
        onChange={(key) => set({ tab: fleetTabs.find((x) => x === key) }, false)}
        items={[
          { key: 'nodes', label: t('fleet.tabNodes'), children: <Nodes query={query} search={search} set={set} onOpen={open} /> },
          { key: 'drift', label: <DriftLabel fleet={fleet} />, children: <DriftPanel fleet={fleet} nodes={query.data ?? []} onNode={open} /> },
          { key: 'history', label: t('rollout.history'), children: <RolloutHistory fleet={fleet} onNode={open} /> },
          { key: 'tokens', label: t('enrol.tab'), children: <TokenPanel fleet={fleet} /> },
        ]}
      />
      <NodeDrawer node={query.data?.find((n) => n.node === search.node)} name={search.node} onClose={() => set({ node: undefined })} />
    </>
  );
}

/** "Drift 2": how many edits nobody has settled yet, so that they are seen from every tab. */
function DriftLabel({ fleet }: { fleet: string }) {
  const { t } = useTranslation();
  const drift = useGroups(fleet).data;
  const count = drift ? openHunks(drift) : 0;
  return (
    <>
      {t('drift.title')} {count > 0 && <Badge tone="warn">{count}</Badge>}
    </>
  );
}

interface NodesProps {
  query: ReturnType<typeof useNodes>;
  search: FleetSearch;
  set: (change: FleetSearch) => void;
  onOpen: (node: string) => void;
}

function Nodes({ query, ...list }: NodesProps) {
  const { t } = useTranslation();
  return (
    <QueryView query={query}>
      {(nodes: Node[]) => (nodes.length === 0 ? <Nothing title={t('fleet.noNodes')} hint={t('fleet.noNodesHint')} /> : <NodeList nodes={nodes} {...list} />)}
    </QueryView>
  );
}
