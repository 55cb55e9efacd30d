import { Drawer } from 'antd';
import { useTranslation } from 'react-i18next';
import { verdictTones } from '../../api/tones';
import type { EffectiveUpstream, UpstreamKey, Verdict } from '../../api/types';
import { Badge } from '../../ui/Badge';
import { Facts } from '../../ui/Page';
import { Said } from '../../ui/Said';
import { Nothing } from '../../ui/States';
import { Since, Until } from '../../ui/Time';
import { countFacts } from './counts';
import { Samples } from './Samples';
import { Standing } from './Standing';

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
      {endpoint ? <Evidence upstream={u.key} verdict={endpoint.verdict} /> : <Nothing title={t('evidence.gone')} />}
    </Drawer>
  );
}

function Evidence({ upstream, verdict: v }: { upstream: UpstreamKey; verdict: Verdict }) {
  const { t } = useTranslation();
  const { observer, ejections, counts, samples } = v.evidence ?? {};
  return (
    <div className="evidence">
      <Facts
        narrow
        items={[
          { label: t('evidence.state'), value: <Badge tone={verdictTones[v.state]}>{t(`verdict.${v.state}`)}</Badge> },
          { label: t('evidence.reason'), value: v.reason ? <Said of="rule" code={v.rule} text={v.reason} /> : t(`verdictHint.${v.state}`) },
          { label: t('evidence.since'), value: <Since at={v.since} /> },
          ...(v.state === 'ejected' ? [{ label: t('evidence.until'), value: <Until at={v.until} /> }] : []),
          ...(v.rule ? [{ label: t('evidence.rule'), value: <code>{v.rule}</code> }] : []),
          ...countFacts(counts, t),
          ...(observer ? [{ label: t('evidence.observer'), value: observer }] : []),
          ...(ejections ? [{ label: t('evidence.ejections'), value: ejections }] : []),
        ]}
      />
      <Standing upstream={upstream} address={v.address} />
      <h3>{t('evidence.samples')}</h3>
      <Samples samples={samples ?? []} />
    </div>
  );
}
