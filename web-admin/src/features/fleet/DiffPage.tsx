import { SwapOutlined } from '@ant-design/icons';
import { getRouteApi, Link } from '@tanstack/react-router';
import { Button, Grid, Segmented, Select } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Node } from '../../api/types';
import { Page } from '../../ui/Page';
import { Nothing, QueryView } from '../../ui/States';
import { DiffFiles } from './DiffFiles';
import { useDiff, useNodes } from './queries';
import type { DiffSearch } from './search';
import './fleet.css';

const route = getRouteApi('/pages/fleet/$fleet/diff');

/** Compares a node with what it should have, or with another node. */
export function DiffPage() {
  const { t } = useTranslation();
  const { fleet } = route.useParams();
  const { node } = route.useSearch();
  const nodes = useNodes(fleet);
  return (
    <Page
      title={
        <>
          <Link to="/fleet" search={{ fleet }} className="crumb" aria-label={t('diff.back')}>
            {t('fleet.title')} ›
          </Link>{' '}
          {t('diff.title', { fleet })}
        </>
      }
    >
      <QueryView query={nodes}>
        {(items) => {
          if (items.length === 0) return <Nothing title={t('diff.noNodes')} />;
          return (
            <>
              <Sides nodes={items} />
              {node === undefined ? <Nothing title={t('diff.pickNode')} /> : <Difference fleet={fleet} node={node} />}
            </>
          );
        }}
      </QueryView>
    </Page>
  );
}

function Sides({ nodes }: { nodes: Node[] }) {
  const { t } = useTranslation();
  const { node, other, view } = route.useSearch();
  const wide = Grid.useBreakpoint().md ?? true;
  const navigate = route.useNavigate();
  const set = (change: DiffSearch) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  const options = nodes.map((n) => ({ value: n.node, label: n.node }));
  return (
    <div className="sides">
      <label>
        <span className="muted">{t('diff.left')}</span>
        <Select
          showSearch
          aria-label={t('diff.left')}
          value={other ?? ''}
          onChange={(v) => set({ other: v || undefined, file: undefined })}
          options={[{ value: '', label: t('diff.desiredOf', { node: node ?? '' }) }, ...options.filter((o) => o.value !== node)]}
        />
      </label>
      <Button
        icon={<SwapOutlined />}
        aria-label={t('diff.swap')}
        title={t('diff.swap')}
        disabled={node === undefined || other === undefined}
        onClick={() => set({ node: other, other: node })}
      />
      <label>
        <span className="muted">{t('diff.right')}</span>
        <Select showSearch aria-label={t('diff.right')} value={node ?? null} onChange={(v: string | null) => set({ node: v ?? undefined, file: undefined, other: v === other ? undefined : other })} options={options} />
      </label>
      <Segmented
        value={view ?? (wide ? 'split' : 'unified')}
        onChange={(v) => set({ view: v })}
        options={[
          { value: 'split' as const, label: t('diff.split') },
          { value: 'unified' as const, label: t('diff.unified') },
        ]}
      />
    </div>
  );
}

function Difference({ fleet, node }: { fleet: string; node: string }) {
  const { other, file, view } = route.useSearch();
  const wide = Grid.useBreakpoint().md ?? true;
  const navigate = route.useNavigate();
  const query = useDiff(fleet, node, other);
  return (
    <QueryView query={query}>
      {(diff) => (
        <DiffFiles
          diff={diff}
          file={file}
          view={view ?? (wide ? 'split' : 'unified')}
          onFile={(path) => void navigate({ search: (old) => ({ ...old, file: path }), replace: true })}
        />
      )}
    </QueryView>
  );
}
