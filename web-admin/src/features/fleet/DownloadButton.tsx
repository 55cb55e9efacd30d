import { DownloadOutlined } from '@ant-design/icons';
import { App, Button, Dropdown } from 'antd';
import { useTranslation } from 'react-i18next';
import { useBundles, useDownload } from './queries';
import type { TreeFormat } from './queries';
import { sideText } from './sides';

interface DownloadButtonProps {
  fleet: string;
  /** What can be downloaded, as the API names it. */
  of: string[];
  /** Said to those who do not see where the button stands. */
  name: string;
}

const formats: TreeFormat[] = ['tar', 'text'];

/** Downloads files as an archive, or as one text. */
export function DownloadButton({ fleet, of, name }: DownloadButtonProps) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const download = useDownload(fleet);
  const bundles = useBundles(fleet).data ?? [];
  const save = (side: string, format: TreeFormat) =>
    download.mutate({ of: side, format }, { onError: (e) => void message.error(t('fleet.downloadFailed', { message: e.message })) });
  const items = of.map((side) => ({
    key: side,
    type: 'group' as const,
    label: sideText(side, bundles, t),
    children: formats.map((format) => ({ key: `${format} ${side}`, label: t(`fleet.downloadAs.${format}`), onClick: () => save(side, format) })),
  }));
  return (
    <Dropdown trigger={['click']} menu={{ items }}>
      <Button size="small" icon={<DownloadOutlined />} loading={download.isPending} aria-label={`${t('fleet.download')} ${name}`} title={t('fleet.download')} />
    </Dropdown>
  );
}
