namespace Godwit.Base;

/// <summary>An error as one line for people: what was tried first, then each cause, without repeating a cause that its parent quotes.</summary>
public static class ErrorChain
{
    /// <summary>At most this many causes are told; the rest is cut with an ellipsis.</summary>
    public const int DepthMax = 8;

    public static string Describe(Exception error)
    {
        var parts = new List<string>();
        var current = error;
        while (current is not null && parts.Count < DepthMax)
        {
            var message = current.Message.TrimEnd('.', ' ');
            if (message.Length > 0 && (parts.Count == 0 || !parts[^1].Contains(message, StringComparison.Ordinal)))
            {
                parts.Add(message);
            }

            current = current is AggregateException { InnerExceptions.Count: > 0 } many ? many.InnerExceptions[0] : current.InnerException;
        }

        return current is null ? string.Join(": ", parts) : string.Join(": ", parts) + ": …";
    }
}
