import i18next from 'i18next';
import { initReactI18next, useTranslation } from 'react-i18next';
import { en } from './en';
import { zh } from './zh';

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'translation';
    resources: { translation: typeof en };
  }
}

export type Language = 'en' | 'zh-CN';
export const languages: { code: Language; name: string }[] = [
  { code: 'zh-CN', name: '简体中文' },
  { code: 'en', name: 'English' },
];

const key = 'sluice.language';

function firstLanguage(): Language {
  const stored = localStorage.getItem(key);
  if (stored === 'en' || stored === 'zh-CN') return stored;
  return navigator.languages.some((l) => l.toLowerCase().startsWith('zh')) ? 'zh-CN' : 'en';
}

const mark = (l: Language) => {
  document.documentElement.lang = l;
};

export async function startI18n(): Promise<void> {
  const lng = firstLanguage();
  await i18next.use(initReactI18next).init({
    lng,
    fallbackLng: 'en',
    resources: { en: { translation: en }, 'zh-CN': { translation: zh } },
    interpolation: { escapeValue: false }, // React escapes
  });
  mark(lng);
}

export function setLanguage(l: Language) {
  localStorage.setItem(key, l);
  mark(l);
  void i18next.changeLanguage(l);
}

export function useLanguage(): Language {
  const { i18n } = useTranslation();
  return i18n.language === 'zh-CN' ? 'zh-CN' : 'en';
}
