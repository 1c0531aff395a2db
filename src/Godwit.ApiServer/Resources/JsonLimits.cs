namespace Godwit.ApiServer.Resources;

/// <summary>Bounds on what a client may send, whatever it is.</summary>
internal static class JsonLimits
{
    /// <summary>Nesting of objects and arrays in one body. The deepest kind served needs about 20.</summary>
    public const int DepthMax = 64;

    /// <summary>Bytes of one request body: what etcd and Kubernetes allow (1.5 MiB) with room for encodings.</summary>
    public const long BodyBytesMax = 3 * 1024 * 1024;

    /// <summary>Values in one body; more would only be sent to exhaust memory.</summary>
    public const int NodesMax = 200_000;
}
