namespace Godwit.Images;

public enum TransferStage
{
    /// <summary>The registry is being asked for the manifest.</summary>
    Resolving,

    /// <summary>In the queue.</summary>
    Waiting,

    /// <summary>Another transfer is fetching the same content; this one shares it.</summary>
    Shared,
    Downloading,

    /// <summary>The connection was lost; the download goes on from <see cref="TransferProgress.CurrentBytes"/> after a wait.</summary>
    Retrying,
    Downloaded,
    Extracting,

    /// <summary>Nothing is left to do for this item.</summary>
    Complete,

    /// <summary>It was here (or there) already.</summary>
    Present,
    Preparing,
    Uploading,
    Uploaded,

    /// <summary>Taken over from another repository of the same registry, without sending it.</summary>
    Mounted,
}

/// <summary>One step of a pull, push, load or import.</summary>
/// <param name="Item">The digest of the layer or manifest; null for the transfer as a whole.</param>
/// <param name="Stage">What happens to it.</param>
/// <param name="CurrentBytes">How far it is, where that has a meaning.</param>
/// <param name="TotalBytes">How far it has to go; null when unknown.</param>
public readonly record struct TransferProgress(Oci.Digest? Item, TransferStage Stage, long CurrentBytes = 0, long? TotalBytes = null);
