import { getRouteApi } from '@tanstack/react-router';
import { Checkbox, Select } from 'antd';
import { useTranslation } from 'react-i18next';
import { TenantProblems } from '../../parts/TenantProblems';
import { Filters, SearchBox } from '../../ui/Filters';
import { Page } from '../../ui/Page';
import { Nothing, QueryView } from '../../ui/States';
import { RouteTable } from './RouteTable';
import type { RouteRow } from './queries';
import { filterRoutes, useRoutes } from './queries';
import type { RoutesSearch } from './search';

const route = getRouteApi('/pages/routes');

/** Every route of every tenant, whoever made it. */
export function RoutesPage() {
  const { t } = useTranslation();
  const routes = useRoutes();
  const { tenant } = route.useSearch();
  return (
    <Page title={t('routes.title')}>
      <QueryView query={routes}>{(rows) => (rows.length === 0 ? <Nothing title={t('routes.empty')} hint={t('routes.emptyHint')} /> : <Routes rows={rows} />)}</QueryView>
      {tenant !== undefined && <TenantProblems tenant={tenant} />}
    </Page>
  );
}

function Routes({ rows }: { rows: RouteRow[] }) {
  const { t } = useTranslation();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const set = (change: RoutesSearch) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  const shown = filterRoutes(rows, search);
  const tenants = [...new Set(rows.map((r) => r.route.tenant))];
  const filtered = search.q !== undefined || search.tenant !== undefined || search.derived !== undefined;
  return (
    <>
      <Filters shown={shown.length} total={rows.length} onClear={filtered ? () => void navigate({ search: {}, replace: true }) : undefined}>
        <SearchBox value={search.q ?? ''} onChange={(q) => set({ q: q || undefined })} placeholder={t('routes.searchPlaceholder')} />
        <Select
          showSearch
          allowClear
          aria-label={t('common.tenant')}
          placeholder={t('upstreams.anyTenant')}
          value={search.tenant ?? null}
          onChange={(tenant: string | null) => set({ tenant: tenant ?? undefined })}
          options={tenants.map((value) => ({ value, label: value }))}
        />
        <Checkbox checked={search.derived === true} onChange={(e) => set({ derived: e.target.checked || undefined })}>
          {t('routes.onlyDerived')}
        </Checkbox>
      </Filters>
      <RouteTable rows={shown} />
    </>
  );
}
