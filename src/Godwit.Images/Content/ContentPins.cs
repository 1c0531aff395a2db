using Godwit.Oci;

namespace Godwit.Images.Content;

/// <summary>
/// What operations under way need, whether or not an image has it yet: blobs and unpacked layers by their digests. The
/// order that keeps content from being collected beneath its user: <em>pin, then look whether it is there, then use it, then
/// let an image or container hold it, then unpin</em>. The collector looks at pins and holders under one lock, and takes
/// names away under that same lock.
/// </summary>
internal sealed class ContentPins
{
    private readonly Dictionary<Digest, int> counts = [];

    /// <summary>Held by the collector while it chooses and detaches, and by whoever pins.</summary>
    public Lock Gate { get; } = new();

    public ContentLease Begin() => new(this);

    /// <summary>Call with <see cref="Gate"/> held.</summary>
    public bool IsPinned_NeedsGate(Digest digest) => counts.ContainsKey(digest);

    private void Add(Digest digest)
    {
        lock (Gate)
        {
            counts[digest] = counts.GetValueOrDefault(digest) + 1;
        }
    }

    private void Release(IEnumerable<Digest> digests)
    {
        lock (Gate)
        {
            foreach (var digest in digests)
            {
                if (--counts[digest] == 0)
                {
                    counts.Remove(digest);
                }
            }
        }
    }

    /// <summary>The pins of one operation; disposing lets go of them all.</summary>
    internal sealed class ContentLease(ContentPins pins) : IDisposable
    {
        private readonly Lock gate = new();
        private List<Digest>? held = [];

        public void Pin(Digest digest)
        {
            lock (gate)
            {
                (held ?? throw new ObjectDisposedException(nameof(ContentLease))).Add(digest);
                pins.Add(digest);
            }
        }

        public void Dispose()
        {
            lock (gate)
            {
                pins.Release(held ?? []);
                held = null;
            }
        }
    }
}
