/** `listener` is called with what the instance has thrown. The instance is not called again after that. */
export function onFailure(listener: (error: unknown) => void): void;
