import { getRouteApi } from '@tanstack/react-router';
import { Select } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Fleet, NodeState } from '../../api/types';
import { nodeStates } from '../../api/types';
import { Filters, SearchBox } from '../../ui/Filters';
import { Page } from '../../ui/Page';
import { Nothing, QueryView } from '../../ui/States';
import { NodeDrawer } from './NodeDrawer';
import { NodeTable } from './NodeTable';
import { filterNodes, useFleets, useNodes } from './queries';
import type { FleetSearch } from './search';
import './fleet.css';

const route = getRouteApi('/pages/fleet');

/** The nodes of one fleet: what each should run, has on disk, and runs. */
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
      note={fleets.data && fleets.data.length > 0 && <Chooser fleets={fleets.data} chosen={chosen} onChoose={(fleet) => void navigate({ search: { fleet } })} />}
    >
      <QueryView query={fleets}>
        {(items) => {
          if (items.length === 0) return <Nothing title={t('fleet.empty')} hint={t('fleet.emptyHint')} />;
          if (chosen === undefined || !known) return <Nothing title={t('state.notFound')} hint={t('fleet.unknownFleet', { name: chosen })} />;
          return <Nodes key={chosen} fleet={chosen} />;
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

function Nodes({ fleet }: { fleet: string }) {
  const { t } = useTranslation();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const query = useNodes(fleet);
  const set = (change: FleetSearch, replace = true) => void navigate({ search: (old) => ({ ...old, ...change }), replace });
  const filtered = search.q !== undefined || search.state !== undefined;
  return (
    <QueryView query={query}>
      {(nodes) => {
        if (nodes.length === 0) return <Nothing title={t('fleet.noNodes')} hint={t('fleet.noNodesHint')} />;
        const shown = filterNodes(nodes, search);
        return (
          <>
            <Filters shown={shown.length} total={nodes.length} onClear={filtered ? () => set({ q: undefined, state: undefined }) : undefined}>
              <SearchBox value={search.q ?? ''} onChange={(q) => set({ q: q || undefined })} placeholder={t('fleet.searchPlaceholder')} />
              <Select
                allowClear
                aria-label={t('fleet.state')}
                placeholder={t('fleet.anyState')}
                value={search.state ?? null}
                onChange={(state: NodeState | null) => set({ state: state ?? undefined })}
                options={nodeStates.map((value) => ({ value, label: t(`nodeState.${value}`) }))}
              />
            </Filters>
            <NodeTable nodes={shown} all={nodes} onOpen={(n) => set({ node: n.node }, false)} />
            <NodeDrawer node={nodes.find((n) => n.node === search.node)} name={search.node} onClose={() => set({ node: undefined })} />
          </>
        );
      }}
    </QueryView>
  );
}
