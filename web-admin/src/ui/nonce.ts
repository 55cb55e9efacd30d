/** The nonce that the server put into this page, which style elements must carry. */
export function cspNonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? '';
}

/**
 * Gives every style element that our own scripts create the page's nonce. antd does so for
 * most of its styles through ConfigProvider, but @rc-component/util leaves it out where it
 * measures scroll bars and locks scrolling (tables, drawers, dialogs), and the policy would
 * refuse those. Styles that arrive as markup do not pass here and stay refused.
 */
export function nonceForStyles() {
  const nonce = cspNonce();
  const create = document.createElement.bind(document);
  document.createElement = (name: string, options?: ElementCreationOptions) => {
    const element = create(name, options);
    if (element instanceof HTMLStyleElement) element.nonce = nonce;
    return element;
  };
}
