import { BgColorsOutlined, GlobalOutlined } from '@ant-design/icons';
import { Button, Dropdown } from 'antd';
import { useTranslation } from 'react-i18next';
import { languages, setLanguage, useLanguage } from '../i18n';
import type { Appearance } from './theme';
import { setAppearance, useAppearance } from './theme';

export function LanguageSwitch() {
  const { t } = useTranslation();
  const language = useLanguage();
  const items = languages.map((l) => ({ key: l.code, label: l.name, onClick: () => setLanguage(l.code) }));
  return (
    <Dropdown trigger={['click']} menu={{ items, selectable: true, selectedKeys: [language] }}>
      <Button type="text" icon={<GlobalOutlined />} aria-label={t('app.language')}>
        {language === 'zh-CN' ? '中文' : 'EN'}
      </Button>
    </Dropdown>
  );
}

export function AppearanceSwitch() {
  const { t } = useTranslation();
  const chosen = useAppearance();
  const choices: Appearance[] = ['light', 'dark', 'system'];
  const items = choices.map((a) => ({ key: a, label: t(`app.${a}`), onClick: () => setAppearance(a) }));
  return (
    <Dropdown trigger={['click']} menu={{ items, selectable: true, selectedKeys: [chosen] }}>
      <Button type="text" icon={<BgColorsOutlined />} aria-label={t('app.appearance')} />
    </Dropdown>
  );
}
