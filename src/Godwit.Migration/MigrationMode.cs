namespace Godwit.Migration;

/// <summary>How a guest's memory is moved.</summary>
public enum MigrationMode
{
    /// <summary>Chosen by the forecast, corrected by what the rounds show.</summary>
    Auto,

    /// <summary>Stop, copy everything, start.</summary>
    Cold,

    /// <summary>The guest runs while its pages are copied in rounds; then a short stop.</summary>
    Precopy,

    /// <summary>One pass, then the guest runs on the target and pulls what is missing.</summary>
    Postcopy,

    /// <summary>Rounds first; post-copy if they do not converge.</summary>
    Hybrid,
}
