import { getRouteApi } from '@tanstack/react-router';
import { Select } from 'antd';
import type { TFunction } from 'i18next';
import { useTranslation } from 'react-i18next';
import type { UpstreamView } from '../../api/types';
import { TenantProblems } from '../../parts/TenantProblems';
import { Filters, SearchBox } from '../../ui/Filters';
import { Page } from '../../ui/Page';
import { Nothing, QueryView } from '../../ui/States';
import { UpstreamTable } from './UpstreamTable';
import { filterUpstreams, useUpstreams } from './queries';
import type { StateFilter, UpstreamsSearch } from './search';
import { stateFilters } from './search';
import './upstreams.css';

const route = getRouteApi('/pages/upstreams');

/** Every upstream of every tenant, to be narrowed down. */
export function UpstreamsPage() {
  const { t } = useTranslation();
  const upstreams = useUpstreams();
  return (
    <Page title={t('upstreams.title')}>
      <QueryView query={upstreams}>
        {(views) => (views.length === 0 ? <Nothing title={t('upstreams.empty')} hint={t('upstreams.emptyHint')} /> : <Upstreams views={views} />)}
      </QueryView>
    </Page>
  );
}

function Upstreams({ views }: { views: UpstreamView[] }) {
  const { t } = useTranslation();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const set = (change: UpstreamsSearch) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  const tenants = [...new Set(views.map((v) => v.upstream.key.tenant))];
  const shown = filterUpstreams(views, search);
  const filtered = search.q !== undefined || search.tenant !== undefined || search.state !== undefined;
  return (
    <>
      <Filters shown={shown.length} total={views.length} onClear={filtered ? () => void navigate({ search: {}, replace: true }) : undefined}>
        <SearchBox value={search.q ?? ''} onChange={(q) => set({ q: q || undefined })} placeholder={t('upstreams.searchPlaceholder')} />
        <Select
          showSearch
          allowClear
          aria-label={t('common.tenant')}
          placeholder={t('upstreams.anyTenant')}
          value={search.tenant ?? null}
          onChange={(tenant: string | null) => set({ tenant: tenant ?? undefined })}
          options={tenants.map((value) => ({ value, label: value }))}
        />
        <Select
          allowClear
          aria-label={t('fleet.state')}
          placeholder={t('upstreams.anyState')}
          value={search.state ?? null}
          onChange={(state: StateFilter | null) => set({ state: state ?? undefined })}
          options={stateFilters.map((value) => ({ value, label: stateLabel(value, t) }))}
        />
      </Filters>
      <UpstreamTable views={shown} />
      {search.tenant !== undefined && <TenantProblems tenant={search.tenant} />}
    </>
  );
}

function stateLabel(s: StateFilter, t: TFunction): string {
  if (s === 'trouble') return t('upstreams.trouble');
  if (s === 'out') return t('upstreams.stateHas', { state: t('upstreams.stateNotInRotation') });
  return t('upstreams.stateHas', { state: t(`verdict.${s}`) });
}
