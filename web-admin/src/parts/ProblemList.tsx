import { Link } from '@tanstack/react-router';
import { Button } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Problem, Ref } from '../api/types';
import { Badge } from '../ui/Badge';
import { Said } from '../ui/Said';
import { Nothing } from '../ui/States';

const firstShown = 20;

/** What a person has to settle, each with a link to the object when it has a page. */
export function ProblemList({ problems, none }: { problems: Problem[]; none?: string }) {
  const { t } = useTranslation();
  const [all, setAll] = useState(false);
  if (problems.length === 0) return <Nothing title={none ?? t('overview.noProblems')} />;
  const shown = all ? problems : problems.slice(0, firstShown);
  return (
    <ul className="list">
      {shown.map((p, i) => (
        <li key={`${i} ${p.code}`}>
          <div className="list-head">
            <Badge tone="warn" plain>
              <ObjectLink object={p.object} />
            </Badge>
            {p.field && <code className="muted">{p.field}</code>}
            <span className="list-side">
              <code>{p.code}</code>
              {p.source && <> · {t('problem.from', { source: p.source })}</>}
            </span>
          </div>
          <div>
            <Said of="problem" code={p.code} text={p.message} />
          </div>
        </li>
      ))}
      {shown.length < problems.length && (
        <li>
          <Button type="link" size="small" onClick={() => setAll(true)}>
            {t('overview.more', { count: problems.length - shown.length })}
          </Button>
        </li>
      )}
    </ul>
  );
}

function ObjectLink({ object: o }: { object: Ref }) {
  const name = o.tenant ? `${o.tenant}/${o.name}` : o.name;
  const text = (
    <>
      {o.kind} <strong>{name}</strong>
    </>
  );
  if (o.kind === 'Upstream' && o.tenant) {
    return (
      <Link to="/upstreams/$tenant/$name" params={{ tenant: o.tenant, name: o.name }}>
        {text}
      </Link>
    );
  }
  if (o.kind === 'Certificate' && o.tenant) {
    return (
      <Link to="/certificates" search={{ tenant: o.tenant, q: o.name }}>
        {text}
      </Link>
    );
  }
  if (o.kind === 'Route' && o.tenant) {
    return (
      <Link to="/routes" search={{ tenant: o.tenant, q: o.name }}>
        {text}
      </Link>
    );
  }
  if (o.kind === 'Kubernetes') return <Link to="/sources">{text}</Link>;
  if (o.kind === 'Fleet') {
    return (
      <Link to="/fleet" search={{ fleet: o.name }}>
        {text}
      </Link>
    );
  }
  if (o.kind === 'Tenant') {
    return (
      <Link to="/upstreams" search={{ tenant: o.name }}>
        {text}
      </Link>
    );
  }
  return <span>{text}</span>;
}
