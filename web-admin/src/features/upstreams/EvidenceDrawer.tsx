import { Drawer, Table } from 'antd';
import type { ColumnsType } from 'antd/es/table';
import { useTranslation } from 'react-i18next';
import { verdictTones } from '../../api/tones';
import type { EffectiveUpstream, Sample, Verdict } from '../../api/types';
import { Badge } from '../../ui/Badge';
import { Facts } from '../../ui/Page';
import { Nothing } from '../../ui/States';
import { Clock, Since, Until } from '../../ui/Time';

interface EvidenceDrawerProps {
  upstream: EffectiveUpstream;
  /** Of the endpoint; closed when undefined. */
  address: string | undefined;
  onClose: () => void;
}

/** What a verdict rests on. */
export function EvidenceDrawer({ upstream: u, address, onClose }: EvidenceDrawerProps) {
  const { t } = useTranslation();
  const endpoint = u.endpoints.find((e) => e.address === address);
  return (
    <Drawer open={address !== undefined} onClose={onClose} size={560} title={t('upstreams.evidenceOf', { address })} closable={{ 'aria-label': t('common.close') }}>
      {endpoint ? <Evidence verdict={endpoint.verdict} /> : <Nothing title={t('evidence.gone')} />}
    </Drawer>
  );
}

function Evidence({ verdict: v }: { verdict: Verdict }) {
  const { t } = useTranslation();
  const { observer, ejections } = v.evidence ?? {};
  const samples = [...(v.evidence?.samples ?? [])].reverse();
  return (
    <div className="evidence">
      <Facts
        narrow
        items={[
          { label: t('evidence.state'), value: <Badge tone={verdictTones[v.state]}>{t(`verdict.${v.state}`)}</Badge> },
          { label: t('evidence.reason'), value: v.reason ?? t(`verdictHint.${v.state}`) },
          { label: t('evidence.since'), value: <Since at={v.since} /> },
          ...(v.state === 'ejected' ? [{ label: t('evidence.until'), value: <Until at={v.until} /> }] : []),
          ...(v.rule ? [{ label: t('evidence.rule'), value: <code>{v.rule}</code> }] : []),
          ...(observer ? [{ label: t('evidence.observer'), value: observer }] : []),
          ...(ejections ? [{ label: t('evidence.ejections'), value: ejections }] : []),
        ]}
      />
      <h3>{t('evidence.samples')}</h3>
      {samples.length === 0 ? <p className="muted">{t('evidence.noSamples')}</p> : <Samples samples={samples} />}
    </div>
  );
}

function Samples({ samples }: { samples: Sample[] }) {
  const { t } = useTranslation();
  const columns: ColumnsType<Sample> = [
    { title: t('evidence.at'), key: 'at', render: (_, s) => <Clock at={s.at} /> },
    { title: t('evidence.kind'), key: 'kind', render: (_, s) => t(`evidence.${s.kind}`) },
    { title: t('evidence.result'), key: 'result', render: (_, s) => <SampleResult sample={s} /> },
    { title: t('evidence.latency'), key: 'latency', align: 'right', render: (_, s) => <span className="num nowrap">{s.latency ? round(s.latency) : '-'}</span> },
  ];
  return <Table<Sample> size="small" rowKey={(s) => `${s.at} ${s.kind}`} dataSource={samples} columns={columns} pagination={false} />;
}

function SampleResult({ sample: s }: { sample: Sample }) {
  const bad = s.error !== undefined || (s.status ?? 0) >= 500;
  return (
    <span className={bad ? 'text-bad break' : 'break'}>
      {s.status ? <strong className="num">{s.status}</strong> : null} {s.error}
    </span>
  );
}

// Go writes "1.234567ms"; three digits say as much.
const round = (latency: string) => latency.replace(/(\d+\.\d{1,2})\d*/g, '$1');
