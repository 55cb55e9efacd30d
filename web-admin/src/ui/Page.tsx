import type { ReactNode } from 'react';

interface PageProps {
  title: ReactNode;
  /** Shown at the right of the title. */
  actions?: ReactNode;
  /** Small text beside the title. */
  note?: ReactNode;
  children: ReactNode;
}

export function Page({ title, actions, note, children }: PageProps) {
  return (
    <section className="page">
      <header className="page-head">
        <h1>{title}</h1>
        {note !== undefined && <div className="page-note">{note}</div>}
        {actions !== undefined && <div className="page-actions">{actions}</div>}
      </header>
      {children}
    </section>
  );
}

interface PanelProps {
  title?: ReactNode;
  extra?: ReactNode;
  children: ReactNode;
  /** Content reaches the border: for tables and lists. */
  flush?: boolean;
}

export function Panel({ title, extra, children, flush = false }: PanelProps) {
  return (
    <section className={flush ? 'panel panel-flush' : 'panel'}>
      {title !== undefined && (
        <header className="panel-head">
          <h2>{title}</h2>
          {extra !== undefined && <div className="panel-extra">{extra}</div>}
        </header>
      )}
      <div className="panel-body">{children}</div>
    </section>
  );
}

/** Name and value pairs in as many columns as fit. */
export function Facts({ items, narrow = false }: { items: { label: ReactNode; value: ReactNode; hint?: string }[]; narrow?: boolean }) {
  return (
    <dl className={narrow ? 'facts facts-narrow' : 'facts'}>
      {items.map((f, i) => (
        <div key={i}>
          <dt title={f.hint}>{f.label}</dt>
          <dd>{f.value}</dd>
        </div>
      ))}
    </dl>
  );
}
