import { StreamLanguage, syntaxHighlighting } from '@codemirror/language';
import { nginx } from '@codemirror/legacy-modes/mode/nginx';
import { MergeView } from '@codemirror/merge';
import { EditorState } from '@codemirror/state';
import { EditorView, lineNumbers } from '@codemirror/view';
import { classHighlighter } from '@lezer/highlight';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { cspNonce } from './nonce';
import './sidebyside.css';

interface SideBySideProps {
  path: string;
  left: string;
  right: string;
}

/** Two texts side by side with their differences marked; unchanged parts are folded. */
export default function SideBySide({ path, left, right }: SideBySideProps) {
  const { t } = useTranslation();
  const at = useRef<HTMLDivElement>(null);
  const unchanged = t('diff.unchangedLines');
  useEffect(() => {
    if (!at.current) return;
    const extensions = [
      EditorView.cspNonce.of(cspNonce()),
      EditorState.readOnly.of(true),
      EditorView.editable.of(false),
      EditorView.lineWrapping,
      EditorState.phrases.of({ '$ unchanged lines': unchanged }),
      lineNumbers(),
      // Colours are classes with rules in sidebyside.css: they follow light and dark.
      syntaxHighlighting(classHighlighter),
      ...(path.endsWith('.conf') ? [StreamLanguage.define(nginx)] : []),
    ];
    const view = new MergeView({
      parent: at.current,
      a: { doc: left, extensions },
      b: { doc: right, extensions },
      collapseUnchanged: { margin: 4, minSize: 8 },
      gutter: true,
    });
    return () => view.destroy();
  }, [path, left, right, unchanged]);
  return <div ref={at} className="side-by-side" />;
}
