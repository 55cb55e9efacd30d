import { lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import type { FileDiff, TreeDiff } from '../../api/types';
import type { Tone } from '../../ui/Badge';
import { Badge } from '../../ui/Badge';
import { Nothing, Loading } from '../../ui/States';
import { UnifiedDiff } from '../../ui/UnifiedDiff';

// CodeMirror is a quarter of the code of this UI, and only this page needs it.
const SideBySide = lazy(() => import('../../ui/SideBySide'));

const tones: Record<FileDiff['change'], Tone> = { added: 'good', changed: 'warn', removed: 'bad' };

const digestFile = 'base/digest.conf';

interface DiffFilesProps {
  /** Its sides named for people. */
  diff: TreeDiff;
  /** The chosen one; the first when there is none of this name. */
  file: string | undefined;
  view: 'split' | 'unified';
  onFile: (path: string) => void;
}

/** The files that differ, and how one of them does. */
export function DiffFiles({ diff, file, view, onFile }: DiffFilesProps) {
  const { t } = useTranslation();
  const same = t('diff.equalFiles', { count: diff.equal });
  // The file that says the digest differs between any two bundles, so it is never what one looks for.
  const files = [...diff.files].sort((a, b) => Number(a.path === digestFile) - Number(b.path === digestFile));
  const chosen = files.find((f) => f.path === file) ?? files[0];
  if (!chosen) return <Nothing title={t('diff.allEqual')} hint={same} />;
  return (
    <div className="diff">
      <nav className="panel panel-flush" aria-label={t('diff.files')}>
        <header className="panel-head">
          <h2>{t('diff.files')}</h2>
          <span className="panel-extra num">{files.length}</span>
        </header>
        <ul className="diff-files">
          {files.map((f) => (
            <li key={f.path}>
              <button type="button" aria-current={f === chosen} onClick={() => onFile(f.path)}>
                <span className="mono break">{f.path}</span>
                <Badge tone={tones[f.change]} plain>
                  {t(`diff.${f.change}`)}
                </Badge>
              </button>
            </li>
          ))}
        </ul>
        <div className="diff-equal muted">{same}</div>
      </nav>
      <section className="panel panel-flush">
        <header className="diff-names">
          <SideName name={diff.left} absent={chosen.change === 'added'} />
          <SideName name={diff.right} absent={chosen.change === 'removed'} />
        </header>
        {view === 'split' ? (
          <Suspense fallback={<Loading />}>
            <SideBySide key={chosen.path} path={chosen.path} left={chosen.left} right={chosen.right} />
          </Suspense>
        ) : (
          <UnifiedDiff text={chosen.unified} />
        )}
      </section>
    </div>
  );
}

function SideName({ name, absent }: { name: string; absent: boolean }) {
  const { t } = useTranslation();
  return (
    <div>
      <strong>{name}</strong> {absent && <span className="muted">({t('diff.absent')})</span>}
    </div>
  );
}
