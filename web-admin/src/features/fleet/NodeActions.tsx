import { DiffOutlined } from '@ant-design/icons';
import { useNavigate } from '@tanstack/react-router';
import { Button, Dropdown } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Node } from '../../api/types';
import { DownloadButton } from './DownloadButton';
import { desiredOf } from './sides';

/** Compare and download, for a row and for the details. */
export function NodeActions({ node: n, all }: { node: Node; all: Node[] }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const compare = (from: string) => void navigate({ to: '/fleet/$fleet/diff', params: { fleet: n.fleet }, search: { from, to: n.node } });
  const others = all.filter((o) => o.node !== n.node);
  return (
    // Inside a row that opens the details on a click.
    <span className="node-actions" onClick={(e) => e.stopPropagation()}>
      <Dropdown
        trigger={['click']}
        menu={{
          items: [
            { key: 'desired', label: t('fleet.compareDesired'), onClick: () => compare(desiredOf(n.node)) },
            ...(others.length > 0 ? [{ type: 'divider' as const }] : []),
            ...others.map((o) => ({ key: `node ${o.node}`, label: o.node, onClick: () => compare(o.node) })),
          ],
          className: 'node-menu',
        }}
      >
        <Button size="small" icon={<DiffOutlined />}>
          {t('fleet.compare')}
        </Button>
      </Dropdown>
      <DownloadButton fleet={n.fleet} of={[n.node, desiredOf(n.node)]} name={n.node} />
    </span>
  );
}
