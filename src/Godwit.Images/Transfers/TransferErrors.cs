using Godwit.Oci;
using Godwit.Oci.Distribution;

namespace Godwit.Images.Transfers;

/// <summary>The one place where what can go wrong with a registry becomes the store's own error.</summary>
internal static class TransferErrors
{
    public static async Task<T> ExplainAsync<T>(string attempt, Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (RegistryException failure)
        {
            throw new ImageException(KindOf(failure.Failure), $"{attempt} failed.", failure);
        }
        catch (OciException malformed)
        {
            throw new ImageException(ImageErrorKind.Corrupt, $"{attempt} failed.", malformed);
        }
    }

    private static ImageErrorKind KindOf(RegistryFailure failure) => failure switch
    {
        RegistryFailure.NotFound => ImageErrorKind.NotFound,
        RegistryFailure.Unauthorized => ImageErrorKind.Unauthorized,
        RegistryFailure.Refused => ImageErrorKind.Invalid,
        RegistryFailure.Unavailable or RegistryFailure.Untrusted => ImageErrorKind.Unavailable,
        _ => ImageErrorKind.Corrupt,
    };
}
