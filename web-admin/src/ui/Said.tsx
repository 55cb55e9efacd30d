import { useLanguage } from '../i18n';
import type { CodeKind } from '../i18n/codes';
import { meaning } from '../i18n/codes';

interface SaidProps {
  of: CodeKind;
  code: string | undefined;
  /** The server's words, in English. */
  text: string | undefined;
}

/** What the server says: by its code in the reader's language, and in its own words. */
export function Said({ of, code, text }: SaidProps) {
  const language = useLanguage();
  const means = meaning(of, code, language);
  if (means === undefined) return <span lang="en">{text}</span>;
  return (
    <>
      {means} {text && <span lang="en" className="muted">{text}</span>}
    </>
  );
}
