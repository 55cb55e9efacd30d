import { Alert } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Status, StoreStatus } from '../../api/types';
import { clock } from '../../i18n/time';
import { Badge } from '../../ui/Badge';
import { Digest } from '../../ui/Digest';
import { Facts, Panel } from '../../ui/Page';
import { Age, parseTime } from '../../ui/Time';

/** Which process this is and what it serves. */
export function Identity({ status: s }: { status: Status }) {
  const { t } = useTranslation();
  const stale = parseTime(s.store.staleSince);
  return (
    <>
      {stale && <Alert className="stale" type="warning" showIcon title={t('overview.storeStale', { time: clock(stale, new Date()) })} description={s.store.message} />}
      <Panel>
        <Facts
          items={[
            { label: t('overview.node'), value: <strong>{s.node}</strong> },
            { label: t('overview.version'), value: <span className="mono">{s.version}</span> },
            { label: t('overview.started'), value: <Age at={s.startedAt} /> },
            { label: t('overview.generation'), value: <span className="num">{s.generation}</span> },
            { label: t('overview.digest'), hint: t('overview.digestHint'), value: <Digest value={s.digest} copyable /> },
            { label: t('overview.verdictDigest'), hint: t('overview.verdictDigestHint'), value: <Digest value={s.verdictDigest} copyable /> },
            { label: t('overview.store'), value: <Store store={s.store} /> },
          ]}
        />
      </Panel>
    </>
  );
}

function Store({ store }: { store: StoreStatus }) {
  const { t } = useTranslation();
  const mode = store.mode === 'embedded' ? t('overview.storeEmbedded') : (store.endpoints ?? [store.mode]).join(', ');
  return (
    <span className="row" title={store.message}>
      {mode}
      <Badge tone={store.up ? 'good' : 'bad'} plain={store.up}>
        {store.up ? t('overview.storeUp') : t('overview.storeDown')}
      </Badge>
    </span>
  );
}
