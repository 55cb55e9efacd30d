import { Typography } from 'antd';
import { useTranslation } from 'react-i18next';

interface DigestProps {
  value: string | undefined;
  copyable?: boolean;
}

/** The first eight characters of a digest: enough to tell apart; the whole one as tooltip. */
export function Digest({ value, copyable = false }: DigestProps) {
  const { t } = useTranslation();
  if (!value) return <span className="faint">-</span>;
  const short = <span className="mono" title={value}>{value.slice(0, 8)}</span>;
  if (!copyable) return short;
  return (
    <Typography.Text copyable={{ text: value, tooltips: [t('common.copy'), t('common.copied')] }}>{short}</Typography.Text>
  );
}
