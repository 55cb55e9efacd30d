import { SwapOutlined } from '@ant-design/icons';
import { getRouteApi, Link } from '@tanstack/react-router';
import { Button, Grid, Segmented, Select } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Bundle, Node } from '../../api/types';
import { Page } from '../../ui/Page';
import { Nothing, QueryView } from '../../ui/States';
import { DiffFiles } from './DiffFiles';
import { DownloadButton } from './DownloadButton';
import { useBundles, useDiff, useNodes } from './queries';
import type { DiffSearch } from './search';
import { sideOptions, sideText } from './sides';
import './fleet.css';

const route = getRouteApi('/pages/fleet/$fleet/diff');

/** Compares nodes, what they should have, and revisions. */
export function DiffPage() {
  const { t } = useTranslation();
  const { fleet } = route.useParams();
  const { from, to } = route.useSearch();
  const nodes = useNodes(fleet);
  const bundles = useBundles(fleet).data ?? [];
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
          if (items.length === 0 && bundles.length === 0) return <Nothing title={t('diff.noNodes')} />;
          return (
            <>
              <Sides fleet={fleet} nodes={items} bundles={bundles} />
              {from === undefined || to === undefined ? <Nothing title={t('diff.pickSides')} /> : <Difference fleet={fleet} from={from} to={to} bundles={bundles} />}
            </>
          );
        }}
      </QueryView>
    </Page>
  );
}

const useView = () => {
  const { view } = route.useSearch();
  const wide = Grid.useBreakpoint().md ?? true;
  return view ?? (wide ? 'split' : 'unified');
};

interface SidesProps {
  fleet: string;
  nodes: Node[];
  bundles: Bundle[];
}

function Sides({ fleet, nodes, bundles }: SidesProps) {
  const { t } = useTranslation();
  const { from, to } = route.useSearch();
  const navigate = route.useNavigate();
  const set = (change: DiffSearch) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  const chooser = (side: 'from' | 'to', chosen: string | undefined) => {
    const label = t(side === 'from' ? 'diff.left' : 'diff.right');
    return (
      <div className="side">
        <label>
          <span className="muted">{label}</span>
          <Select
            showSearch={{ optionFilterProp: 'label' }}
            aria-label={label}
            placeholder={t('diff.choose')}
            popupMatchSelectWidth={false}
            value={chosen ?? null}
            onChange={(v: string | null) => set({ [side]: v ?? undefined, file: undefined })}
            options={sideOptions(nodes, bundles, chosen, t)}
          />
        </label>
        {chosen !== undefined && <DownloadButton fleet={fleet} of={[chosen]} name={label} />}
      </div>
    );
  };
  return (
    <div className="sides">
      {chooser('from', from)}
      <Button icon={<SwapOutlined />} aria-label={t('diff.swap')} title={t('diff.swap')} disabled={from === undefined && to === undefined} onClick={() => set({ from: to, to: from })} />
      {chooser('to', to)}
      <Segmented
        value={useView()}
        onChange={(view) => set({ view })}
        options={[
          { value: 'split' as const, label: t('diff.split') },
          { value: 'unified' as const, label: t('diff.unified') },
        ]}
      />
    </div>
  );
}

interface DifferenceProps {
  fleet: string;
  from: string;
  to: string;
  bundles: Bundle[];
}

function Difference({ fleet, from, to, bundles }: DifferenceProps) {
  const { t } = useTranslation();
  const { file } = route.useSearch();
  const view = useView();
  const navigate = route.useNavigate();
  const query = useDiff(fleet, from, to);
  return (
    <QueryView query={query}>
      {(diff) => (
        <DiffFiles
          // While another answer is under way, its names still belong to the old one.
          diff={{ ...diff, left: sideText(diff.left, bundles, t), right: sideText(diff.right, bundles, t) }}
          file={file}
          view={view}
          onFile={(path) => void navigate({ search: (old) => ({ ...old, file: path }), replace: true })}
        />
      )}
    </QueryView>
  );
}
