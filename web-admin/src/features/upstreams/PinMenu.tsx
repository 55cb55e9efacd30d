import { DownOutlined } from '@ant-design/icons';
import { Button, Dropdown } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Endpoint, PinState } from '../../api/types';
import { Since, Until, parseTime } from '../../ui/Time';

/** What a person wants said about an endpoint; without a state, nothing any more. */
export interface PinWish {
  endpoint: Endpoint;
  state?: PinState;
}

const states: PinState[] = ['drained', 'up', 'down'];

/** The words that a person may say about an endpoint, and the one that takes them back. */
export function PinMenu({ endpoint, onPin }: { endpoint: Endpoint; onPin: (wish: PinWish) => void }) {
  const { t } = useTranslation();
  const pinned = endpoint.pin?.state;
  const items = [
    ...(pinned ? [{ key: 'end', label: t(`pin.end.${pinned}`), onClick: () => onPin({ endpoint }) }, { type: 'divider' as const }] : []),
    ...states.map((state) => ({ key: state, label: t(state === pinned ? `pin.again.${state}` : `pin.do.${state}`), onClick: () => onPin({ endpoint, state }) })),
  ];
  return (
    <Dropdown trigger={['click']} menu={{ items }}>
      <Button type="link" size="small" aria-haspopup="menu" title={t('pin.menuHint')}>
        {t('pin.menu')} <DownOutlined />
      </Button>
    </Dropdown>
  );
}

/** Who has said it, since when, until when, and why. */
export function PinNote({ pin: p }: { pin: NonNullable<Endpoint['pin']> }) {
  const { t } = useTranslation();
  return (
    <div>
      <span className="row">
        <strong>{t(`pin.is.${p.state}`, { who: p.by || t('pin.somebody') })}</strong>
        <Since at={p.since} />
        {parseTime(p.expires) ? <Until at={p.expires} /> : <span className="muted">{t('pin.forGood')}</span>}
      </span>
      {p.reason && <div className="break">{p.reason}</div>}
    </div>
  );
}
