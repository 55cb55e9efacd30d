import { Alert } from 'antd';
import { useTranslation } from 'react-i18next';
import { clock } from '../../i18n/time';
import { Page, Panel } from '../../ui/Page';
import { QueryView } from '../../ui/States';
import { parseTime } from '../../ui/Time';
import { NamePanel } from './NamePanel';
import { SourceTable } from './SourceTable';
import { useNames, useStatus } from './queries';

/** Who says where endpoints are, how current that is, and which names are announced for them. */
export function SourcesPage() {
  const { t } = useTranslation();
  const status = useStatus();
  const names = useNames();
  const stale = parseTime(status.data?.store.staleSince);
  return (
    <Page title={t('sources.title')}>
      {stale && <Alert className="stale" type="warning" showIcon title={t('overview.storeStale', { time: clock(stale, new Date()) })} />}
      <Panel flush title={t('sources.endpoints')}>
        <QueryView query={status}>{(s) => <SourceTable sources={s.sources} />}</QueryView>
      </Panel>
      <Panel flush title={t('sources.names')} extra={names.data?.leading && <span className="num">{names.data.items.length}</span>}>
        <QueryView query={names}>{(list) => <NamePanel names={list} />}</QueryView>
      </Panel>
    </Page>
  );
}
