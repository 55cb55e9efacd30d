import { getRouteApi } from '@tanstack/react-router';
import { Checkbox, Select } from 'antd';
import { useTranslation } from 'react-i18next';
import type { CertificateView } from '../../api/types';
import { Filters, SearchBox } from '../../ui/Filters';
import { Page } from '../../ui/Page';
import { Nothing, QueryView } from '../../ui/States';
import { CertificateTable } from './CertificateTable';
import { filterCertificates, useCertificates } from './queries';
import type { CertificatesSearch } from './search';

const route = getRouteApi('/pages/certificates');

/** Every certificate of every tenant: until when it is good, and who uses it. */
export function CertificatesPage() {
  const { t } = useTranslation();
  const certificates = useCertificates();
  return (
    <Page title={t('certificates.title')}>
      <QueryView query={certificates}>
        {(views) => (views.length === 0 ? <Nothing title={t('certificates.empty')} hint={t('certificates.emptyHint')} /> : <Certificates views={views} />)}
      </QueryView>
    </Page>
  );
}

function Certificates({ views }: { views: CertificateView[] }) {
  const { t } = useTranslation();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const set = (change: CertificatesSearch) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  const tenants = [...new Set(views.map((v) => v.tenant))];
  const shown = filterCertificates(views, search);
  const filtered = search.q !== undefined || search.tenant !== undefined || search.problems !== undefined;
  return (
    <>
      <Filters shown={shown.length} total={views.length} onClear={filtered ? () => void navigate({ search: {}, replace: true }) : undefined}>
        <SearchBox value={search.q ?? ''} onChange={(q) => set({ q: q || undefined })} placeholder={t('certificates.searchPlaceholder')} />
        <Select
          showSearch
          allowClear
          aria-label={t('common.tenant')}
          placeholder={t('upstreams.anyTenant')}
          value={search.tenant ?? null}
          onChange={(tenant: string | null) => set({ tenant: tenant ?? undefined })}
          options={tenants.map((value) => ({ value, label: value }))}
        />
        <Checkbox checked={search.problems === true} onChange={(e) => set({ problems: e.target.checked ? true : undefined })}>
          {t('certificates.onlyProblems')}
        </Checkbox>
      </Filters>
      <CertificateTable views={shown} />
    </>
  );
}
