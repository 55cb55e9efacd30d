import { PlusOutlined, RadarChartOutlined } from '@ant-design/icons';
import { getRouteApi, Link } from '@tanstack/react-router';
import { Alert, Button } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Endpoint, Problem, UpstreamView } from '../../api/types';
import { keyText } from '../../api/types';
import { derivedText } from '../../parts/Derived';
import { ShrinkAlarms } from '../../parts/ShrinkAlarm';
import { Page } from '../../ui/Page';
import { Said } from '../../ui/Said';
import { Nothing, QueryView } from '../../ui/States';
import { DiscoverDialog } from './DiscoverDialog';
import { EndpointDialog } from './EndpointDialog';
import { EndpointTable } from './EndpointTable';
import { EventLog } from './EventLog';
import { EvidenceDrawer } from './EvidenceDrawer';
import { HealthPanel } from './HealthPanel';
import { PinDialog } from './PinDialog';
import type { PinWish } from './PinMenu';
import { RemoveDialog } from './RemoveDialog';
import { Settings } from './Settings';
import { Rotation } from './UpstreamTable';
import { useUpstream } from './queries';
import './upstreams.css';

const route = getRouteApi('/pages/upstreams/$tenant/$name');

/** One upstream: its endpoints, why each is in or out of rotation, and what may be changed. */
export function UpstreamPage() {
  const { t } = useTranslation();
  const key = route.useParams();
  const upstream = useUpstream(key);
  const [adding, setAdding] = useState(false);
  const [discovering, setDiscovering] = useState(false);
  return (
    <Page
      title={
        <>
          <Link to="/upstreams" className="crumb" aria-label={t('upstreams.back')}>
            {t('upstreams.title')} ›
          </Link>{' '}
          <span className="muted">{key.tenant}/</span>
          {key.name}
        </>
      }
      note={
        upstream.data && (
          <span className="row">
            {t('upstreams.inRotation')} <Rotation upstream={upstream.data.upstream} />
          </span>
        )
      }
      actions={
        upstream.data &&
        !upstream.data.derivedFrom && (
          <>
            <Button icon={<RadarChartOutlined />} onClick={() => setDiscovering(true)}>
              {t('upstreams.editDiscover')}
            </Button>
            <Button type="primary" icon={<PlusOutlined />} onClick={() => setAdding(true)}>
              {t('upstreams.add')}
            </Button>
          </>
        )
      }
    >
      <QueryView query={upstream} notFound={<Nothing title={t('state.notFound')} hint={t('upstreams.notFoundHint', { name: keyText(key) })} action={<Link to="/upstreams">{t('upstreams.back')}</Link>} />}>
        {(view) => <Detail view={view} />}
      </QueryView>
      <EndpointDialog upstream={key} open={adding} onClose={() => setAdding(false)} />
      <DiscoverDialog upstream={key} open={discovering} onClose={() => setDiscovering(false)} />
    </Page>
  );
}

function Detail({ view }: { view: UpstreamView }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [changing, setChanging] = useState<Endpoint>();
  const [removing, setRemoving] = useState<Endpoint>();
  const [pinning, setPinning] = useState<PinWish>();
  const { upstream: u } = view;
  return (
    <>
      <Warnings view={view} />
      <EndpointTable
        upstream={u}
        state={search.state}
        onState={(state) => void navigate({ search: (old) => ({ ...old, state }), replace: true })}
        onEvidence={(e) => void navigate({ search: (old) => ({ ...old, endpoint: e.address }) })}
        onPin={setPinning}
        onChange={setChanging}
        onRemove={setRemoving}
      />
      <HealthPanel upstream={u.key} />
      <EventLog upstream={u} address={search.log} onAddress={(log) => void navigate({ search: (old) => ({ ...old, log }), replace: true })} />
      <Settings view={view} />
      <EvidenceDrawer
        upstream={u}
        address={search.endpoint}
        onClose={() => void navigate({ search: (old) => ({ ...old, endpoint: undefined }), replace: true })}
      />
      <EndpointDialog upstream={u.key} endpoint={changing} open={changing !== undefined} onClose={() => setChanging(undefined)} />
      {pinning && <PinDialog upstream={u} wish={pinning} onClose={() => setPinning(undefined)} />}
      {removing && <RemoveDialog upstream={u} endpoint={removing} onClose={() => setRemoving(undefined)} />}
    </>
  );
}

function Warnings({ view: { upstream: u, problems, derivedFrom } }: { view: UpstreamView }) {
  const { t } = useTranslation();
  const others = problems.filter((p) => p.code !== 'shrink_held'); // the alarm says it
  return (
    <>
      <ShrinkAlarms only={u.key} />
      {derivedFrom && <Alert className="stale" type="info" showIcon title={t('upstreams.readOnly', { what: derivedText(derivedFrom, t) })} />}
      {u.panic && <Alert className="stale" type="warning" showIcon title={`${t('upstreams.panic')}: ${t('upstreams.panicHint')}`} />}
      {others.map((p, i) => (
        <Alert key={i} className="stale" type="warning" showIcon title={<ProblemText problem={p} />} />
      ))}
    </>
  );
}

function ProblemText({ problem: p }: { problem: Problem }) {
  const { t } = useTranslation();
  return (
    <>
      <Said of="problem" code={p.code} text={p.message} />
      <span className="row muted problem-note">
        <code>{p.code}</code>
        {p.field && <code>{p.field}</code>}
        {p.source && <span>{t('problem.from', { source: p.source })}</span>}
      </span>
    </>
  );
}
