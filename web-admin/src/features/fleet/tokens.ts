import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, ApiError, unwrap } from '../../api/client';
import { enrolmentTokensQuery } from '../../api/reads';
import type { EnrolmentToken, IssuedToken, NewEnrolmentToken } from '../../api/types';

/** The tokens of a fleet, the newest first. No event tells of their use. */
export function useTokens(fleet: string) {
  const query = useQuery({ ...enrolmentTokensQuery(), refetchInterval: 10_000 });
  return { ...query, data: query.data?.filter((t) => t.fleet === fleet) };
}

/** Makes one. Its text is in this answer and nowhere else. */
export function useNewToken() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (body: NewEnrolmentToken) => unwrap(api.POST('/enrolment-tokens', { body })),
    // Nothing keeps the secret once the dialog is gone.
    gcTime: 0,
    onSettled: () => cache.invalidateQueries({ queryKey: ['enrolment-tokens'] }),
  });
}

export function useRemoveToken() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: async (id: string) => {
      const { error, response } = await api.DELETE('/enrolment-tokens/{id}', { params: { path: { id } } });
      if (!response.ok) throw ApiError.from(response.status, error);
    },
    onSettled: () => cache.invalidateQueries({ queryKey: ['enrolment-tokens'] }),
  });
}

export type TokenState = 'unused' | 'used' | 'expired';

export function tokenState(t: EnrolmentToken, now: number): TokenState {
  if (t.usedAt !== undefined) return 'used';
  return Date.parse(t.expiresAt) <= now ? 'expired' : 'unused';
}

// Everything that is no plain word goes into quotes, since people paste this into a shell.
const word = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** What is pasted on the node. The token goes in by a file, so that no list of processes shows it. */
export function command({ token, info, agents }: IssuedToken, host: string): string {
  const file = '/etc/sluice-enrol-token';
  const node = info.node ? ` --node ${word(info.node)}` : '';
  return [`(umask 077; printf '%s\\n' ${word(token)} > ${file})`, `sluice agent --server ${word(serverOf(agents, host))} --fleet ${word(info.fleet)}${node} --enrol-token-file ${file}`].join('\n');
}

// The listener may be told as ":9443", or as all addresses: then it is this host, as the browser knows it.
function serverOf(agents: string, host: string): string {
  if (agents.includes('://')) return agents;
  const [, name = '', port = ''] = /^(.*?)(:\d+)?$/.exec(agents) ?? [];
  const all = ['', '0.0.0.0', '[::]'].includes(name);
  return `https://${all ? host : name}${port}`;
}
