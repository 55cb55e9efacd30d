import { Select } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Node, NodeState } from '../../api/types';
import { nodeStates } from '../../api/types';
import { Filters, SearchBox } from '../../ui/Filters';
import { NodeTable } from './NodeTable';
import { filterNodes } from './queries';
import type { FleetSearch } from './search';

interface NodeListProps {
  nodes: Node[];
  search: FleetSearch;
  set: (change: FleetSearch) => void;
  onOpen: (node: string) => void;
}

/** The nodes that fit the filters: what each should run, has on disk, and runs. */
export function NodeList({ nodes, search, set, onOpen }: NodeListProps) {
  const { t } = useTranslation();
  const filtered = search.q !== undefined || search.state !== undefined;
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
      <NodeTable nodes={shown} all={nodes} onOpen={(n) => onOpen(n.node)} />
    </>
  );
}
