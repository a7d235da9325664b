/** What the platform says about the network and the page; where it says nothing (Node), all is well. */
export interface EnvironmentListener {
  online(online: boolean): void;
  visible(visible: boolean): void;
}

type Target = Pick<EventTarget, 'addEventListener' | 'removeEventListener'>;

/**
 * Listens to `online`, `offline` and `visibilitychange` where they exist, and tells at once if the start is offline or
 * hidden. Returns the way to stop.
 */
export function watchEnvironment(listener: EnvironmentListener): () => void {
  const { document, navigator } = globalThis as { document?: Document; navigator?: Navigator };
  const page = globalThis as Partial<Target>;
  const onOnline = () => listener.online(true);
  const onOffline = () => listener.online(false);
  const onVisibility = () => listener.visible(document?.visibilityState !== 'hidden');
  // A worker has the events but no document; Node has neither.
  page.addEventListener?.('online', onOnline);
  page.addEventListener?.('offline', onOffline);
  document?.addEventListener('visibilitychange', onVisibility);
  if (navigator?.onLine === false) onOffline();
  if (document?.visibilityState === 'hidden') onVisibility();
  return () => {
    page.removeEventListener?.('online', onOnline);
    page.removeEventListener?.('offline', onOffline);
    document?.removeEventListener('visibilitychange', onVisibility);
  };
}
