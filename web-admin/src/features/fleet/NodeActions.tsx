import { DiffOutlined, DownloadOutlined } from '@ant-design/icons';
import { useNavigate } from '@tanstack/react-router';
import { App, Button, Dropdown } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Node, TreeKind } from '../../api/types';
import { useDownload } from './queries';

/** Compare and download, for a row and for the details. */
export function NodeActions({ node: n, all }: { node: Node; all: Node[] }) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const navigate = useNavigate();
  const download = useDownload();
  const compare = (other?: string) =>
    void navigate({ to: '/fleet/$fleet/diff', params: { fleet: n.fleet }, search: other === undefined ? { node: n.node } : { node: n.node, other } });
  const save = (which: TreeKind) =>
    download.mutate({ node: n, which }, { onError: (e) => void message.error(t('fleet.downloadFailed', { message: e.message })) });
  const others = all.filter((o) => o.node !== n.node);
  return (
    // Inside a row that opens the details on a click.
    <span className="node-actions" onClick={(e) => e.stopPropagation()}>
      <Dropdown
        trigger={['click']}
        menu={{
          items: [
            { key: 'desired', label: t('fleet.compareDesired'), onClick: () => compare() },
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
      <Dropdown
        trigger={['click']}
        menu={{
          items: [
            { key: 'disk', label: t('fleet.downloadDisk'), onClick: () => save('disk') },
            { key: 'desired', label: t('fleet.downloadDesired'), onClick: () => save('desired') },
          ],
        }}
      >
        <Button size="small" icon={<DownloadOutlined />} loading={download.isPending} aria-label={`${t('fleet.download')} ${n.node}`} title={t('fleet.download')} />
      </Dropdown>
    </span>
  );
}
