import { Button, Grid, Select, Table } from 'antd';
import type { ColumnsType } from 'antd/es/table';
import { useTranslation } from 'react-i18next';
import { verdictTones } from '../../api/tones';
import type { EffectiveUpstream, Endpoint } from '../../api/types';
import { healthStates } from '../../api/types';
import { Badge } from '../../ui/Badge';
import { Filters } from '../../ui/Filters';
import { Said } from '../../ui/Said';
import { Nothing } from '../../ui/States';
import { Since, Until } from '../../ui/Time';
import { PinMenu, PinNote } from './PinMenu';
import type { PinWish } from './PinMenu';
import { endpointFits, outBecause } from './queries';
import type { UpstreamSearch } from './search';

interface EndpointTableProps extends Actions {
  upstream: EffectiveUpstream;
  state: UpstreamSearch['state'];
  onState: (s: UpstreamSearch['state']) => void;
}

interface Actions {
  onPin: (wish: PinWish) => void;
  onEvidence: (e: Endpoint) => void;
  onChange: (e: Endpoint) => void;
  onRemove: (e: Endpoint) => void;
}

/** The endpoints of one upstream with their verdicts, the worst first. */
export function EndpointTable({ upstream: u, state, onState, ...actions }: EndpointTableProps) {
  const { t } = useTranslation();
  const wide = Grid.useBreakpoint().md ?? true;
  const shown = u.endpoints.filter((e) => endpointFits(e, state)).sort(worstFirst);
  const columns = useColumns(actions);
  return (
    <>
      {u.endpoints.length > 0 && (
        <Filters shown={shown.length} total={u.endpoints.length} onClear={state ? () => onState(undefined) : undefined}>
          <Select
            allowClear
            aria-label={t('upstreams.verdict')}
            placeholder={t('upstreams.anyEndpoint')}
            value={state ?? null}
            onChange={(s: UpstreamSearch['state'] | null) => onState(s ?? undefined)}
            options={[
              { value: 'out', label: t('upstreams.stateNotInRotation') },
              ...healthStates.map((value) => ({ value, label: t(`verdict.${value}`) })),
            ]}
          />
        </Filters>
      )}
      <div className="panel panel-flush">
        {wide ? (
          <Table<Endpoint>
            size="small"
            rowKey="address"
            dataSource={shown}
            columns={columns}
            pagination={{ defaultPageSize: 100, hideOnSinglePage: true, showSizeChanger: false, size: 'small' }}
            locale={{ emptyText: <EmptyText none={u.endpoints.length === 0} /> }}
            showSorterTooltip={false}
          />
        ) : (
          <Cards endpoints={shown} none={u.endpoints.length === 0} {...actions} />
        )}
      </div>
    </>
  );
}

const worstFirst = (a: Endpoint, b: Endpoint) =>
  healthStates.indexOf(a.verdict.state) - healthStates.indexOf(b.verdict.state) ||
  Number(a.inRotation) - Number(b.inRotation) ||
  (a.address < b.address ? -1 : 1);

function EmptyText({ none }: { none: boolean }) {
  const { t } = useTranslation();
  return none ? <Nothing title={t('upstreams.noEndpoints')} hint={t('upstreams.noEndpointsHint')} /> : <Nothing title={t('common.noMatch')} />;
}

function useColumns(actions: Actions): ColumnsType<Endpoint> {
  const { t } = useTranslation();
  return [
    { title: t('upstreams.address'), key: 'address', render: (_, e) => <Address endpoint={e} />, sorter: (a, b) => (a.address < b.address ? -1 : 1) },
    { title: t('upstreams.inRotation'), key: 'rotation', render: (_, e) => <InRotation endpoint={e} /> },
    { title: t('upstreams.verdict'), key: 'verdict', render: (_, e) => <VerdictCell endpoint={e} /> },
    { title: t('upstreams.weight'), dataIndex: 'weight', align: 'right', sorter: (a, b) => a.weight - b.weight },
    { title: t('upstreams.priority'), key: 'priority', align: 'right', render: (_, e) => e.priority ?? 0 },
    { title: t('upstreams.zone'), key: 'zone', render: (_, e) => e.zone ?? <span className="faint">-</span> },
    { title: t('upstreams.sources'), key: 'sources', render: (_, e) => <span className="nowrap">{e.sources.map((s) => t(`source.${s}`)).join(', ')}</span> },
    { title: '', key: 'actions', align: 'right', render: (_, e) => <RowActions endpoint={e} {...actions} /> },
  ];
}

function Address({ endpoint: e }: { endpoint: Endpoint }) {
  return (
    <>
      <span className="mono nowrap">{e.address}</span> <Tags of={e} />
    </>
  );
}

/** Tags are what the source says about the endpoint: version=v2, canary. */
function Tags({ of: e }: { of: Endpoint }) {
  const words = Object.entries(e.tags ?? {}).map(([name, value]) => (value === '' ? name : `${name}=${value}`));
  return words.length === 0 ? null : <span className="muted">{words.join(', ')}</span>;
}

function RowActions({ endpoint: e, onPin, onEvidence, onChange, onRemove }: Actions & { endpoint: Endpoint }) {
  const { t } = useTranslation();
  const byHand = e.sources.includes('manual');
  return (
    <span className="row-actions">
      <Button type="link" size="small" onClick={() => onEvidence(e)}>
        {t('upstreams.evidence')}
      </Button>
      <PinMenu endpoint={e} onPin={onPin} />
      {byHand && (
        <>
          <Button type="link" size="small" onClick={() => onChange(e)}>
            {t('upstreams.edit')}
          </Button>
          <Button type="link" size="small" danger onClick={() => onRemove(e)}>
            {t('upstreams.remove')}
          </Button>
        </>
      )}
    </span>
  );
}

function InRotation({ endpoint: e }: { endpoint: Endpoint }) {
  const { t } = useTranslation();
  const why = outBecause(e);
  if (why === undefined) return <span className="nowrap">{t('common.yes')}</span>;
  return (
    <span className="nowrap">
      <strong>{t('common.no')}</strong> <span className="muted">({t(`upstreams.outBecause.${why}`)})</span>
    </span>
  );
}

function VerdictCell({ endpoint: { verdict: v, pin } }: { endpoint: Endpoint }) {
  const { t } = useTranslation();
  return (
    <div>
      <span className="row">
        <Badge tone={verdictTones[v.state]} title={pin ? t(`pin.hint.${pin.state}`) : t(`verdictHint.${v.state}`)}>
          {t(`verdict.${v.state}`)}
        </Badge>
        {v.since && !pin && <Since at={v.since} />}
        {v.state === 'ejected' && <Until at={v.until} />}
      </span>
      {pin && <PinNote pin={pin} />}
      {v.reason && v.rule !== 'by_hand' && (
        <div className={v.state === 'healthy' ? 'muted' : undefined}>
          <Said of="rule" code={v.rule} text={v.reason} />
        </div>
      )}
    </div>
  );
}

/** On a narrow screen a table of eight columns is of no use. */
function Cards({ endpoints, none, ...actions }: Actions & { endpoints: Endpoint[]; none: boolean }) {
  const { t } = useTranslation();
  if (endpoints.length === 0) return <EmptyText none={none} />;
  return (
    <ul className="list">
      {endpoints.map((e) => (
        <li key={e.address} className="stack">
          <div className="list-head">
            <strong className="mono">{e.address}</strong>
            <span className="muted">
              {t('upstreams.inRotation')}: <InRotation endpoint={e} />
            </span>
          </div>
          <VerdictCell endpoint={e} />
          <div className="muted row">
            <span>
              {t('upstreams.weight')} {e.weight}
            </span>
            {e.priority !== undefined && e.priority > 0 && (
              <span>
                {t('upstreams.priority')} {e.priority}
              </span>
            )}
            {e.zone && (
              <span>
                {t('upstreams.zone')} {e.zone}
              </span>
            )}
            <span>{e.sources.map((s) => t(`source.${s}`)).join(', ')}</span>
            <Tags of={e} />
          </div>
          <RowActions endpoint={e} {...actions} />
        </li>
      ))}
    </ul>
  );
}
